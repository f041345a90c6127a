"""The one exception that a verb raises for what its user can mend."""


class JobError(Exception):
    """Bad input or a refused step. The message names the place and the cure; the CLI prints it and
    ends with `exit_code`: 2 for bad input or configuration (a Job must not retry), 3 for a gate that
    said no."""

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class GateRefused(JobError):
    """A gate failed or could not be evaluated; the message says which."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=3)
