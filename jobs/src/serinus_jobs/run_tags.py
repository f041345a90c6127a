"""Tags of MLflow runs that only the jobs read. What other rooms read is in serinus_contracts."""

KIND = "serinus.kind"  # train, trial, part (of a search), drift or quality
SINCE = "serinus.since"  # ISO time or empty: labels before it were left out
UNTIL = "serinus.until"  # ISO time or empty: labels from it on were left out
TRAINED_TO = "serinus.trained_to"  # the newest label time that the model was fitted to, UTC
EVALUATED_AGAINST = "serinus.evaluated_against"  # digest of the champion at evaluation, or empty

# Of a drift or quality report's run.
REPORT = "serinus.report"  # the report's file name, without its ending
REVISION = "serinus.revision"
VERDICT = "serinus.verdict"
FINGERPRINT = "serinus.fingerprint"  # what drifted; drift reports only

# Beside the artifact: the holdout's rows and the pipeline's own answers, for `register` to compare again.
CHECK_PATH = "checks"
CHECK_FILE = "holdout.npz"

# Of a trial's run, and of the run that says that a part of a search is done.
STUDY = "serinus.study"  # serinus_jobs.candidates.study
TRIAL = "serinus.trial"  # the candidate's parameters, JSON
PART = "serinus.part"  # "0/4": the first of four
SAMPLING = "serinus.sampling"  # of a part: serinus_jobs.search.sampling
