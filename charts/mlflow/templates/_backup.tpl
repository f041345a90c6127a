{{/*
Backup and restore are the same pod with another script. Where the artifacts lie in a bucket the script runs in stages:
PostgreSQL's image has no client of a bucket, and MLflow's none of PostgreSQL. Takes (dict "context" $ "verb" "backup" "schedule" text "suspend" bool).
*/}}
{{- define "mlflow.backupCronJob" -}}
{{- $values := .context.Values -}}
{{- $part := dict "context" .context "part" (printf "mlflow-%s" .verb) -}}
{{- $restore := eq .verb "restore" -}}
{{- $artifacts := and (not $values.artifacts.s3.bucket) (or $restore $values.backup.artifacts) -}}
{{- $bucket := and $values.artifacts.s3.bucket (or $restore $values.backup.artifacts) -}}
{{- $postgresql := include "serinus.image" (dict "context" .context "image" $values.postgresql.image) -}}
{{- $mlflow := include "serinus.ownImage" (dict "context" .context "name" "mlflow") -}}
{{- $stage := dict "context" .context "script" .verb "mountArtifacts" $artifacts -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "serinus.fullname" $part }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "serinus.labels" $part | nindent 4 }}
spec:
  schedule: {{ .schedule | quote }}
  timeZone: Etc/UTC
  suspend: {{ .suspend }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 2
      activeDeadlineSeconds: 3600
      # Exit code 2 is a request that would fail again.
      podFailurePolicy:
        rules:
          - action: FailJob
            onExitCodes: { operator: In, values: [2] }
          - action: Ignore
            onPodConditions:
              - { type: DisruptionTarget, status: "True" }
      template:
        metadata:
          labels:
            {{- include "serinus.podLabels" $part | nindent 12 }}
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          enableServiceLinks: false
          # As MLflow, whose artifacts are read and written.
          securityContext:
            {{- include "serinus.podSecurityContext" (dict "uid" 65532) | nindent 12 }}
          {{- if $artifacts }}
          # One node may mount the artifacts: MLflow's, as long as MLflow runs.
          affinity:
            podAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - weight: 100
                  podAffinityTerm:
                    topologyKey: kubernetes.io/hostname
                    labelSelector:
                      matchLabels:
                        {{- include "serinus.selectorLabels" (dict "context" .context "part" "mlflow") | nindent 24 }}
          {{- end }}
          {{- if and $bucket $restore }}
          initContainers:
            {{- include "mlflow.backupStage" (merge (dict "name" "check" "image" $postgresql "database" true "stages" (list "check")) $stage) | nindent 12 }}
            {{- include "mlflow.backupStage" (merge (dict "name" "artifacts" "image" $mlflow "bucket" true "stages" (list "artifacts")) $stage) | nindent 12 }}
          containers:
            {{- include "mlflow.backupStage" (merge (dict "name" "restore" "image" $postgresql "database" true "stages" (list "databases" "finish")) $stage) | nindent 12 }}
          {{- else if $bucket }}
          initContainers:
            {{- include "mlflow.backupStage" (merge (dict "name" "databases" "image" $postgresql "database" true "stages" (list "databases")) $stage) | nindent 12 }}
          containers:
            {{- include "mlflow.backupStage" (merge (dict "name" "backup" "image" $mlflow "bucket" true "stages" (list "artifacts" "finish")) $stage) | nindent 12 }}
          {{- else }}
          containers:
            {{- $stages := ternary (list "check" "artifacts" "databases" "finish") (list "databases" "artifacts" "finish") $restore }}
            {{- include "mlflow.backupStage" (merge (dict "name" .verb "image" $postgresql "database" true "stages" $stages) $stage) | nindent 12 }}
          {{- end }}
          volumes:
            - name: tmp
              emptyDir: {}
            {{- include "mlflow.scriptsVolume" .context | nindent 12 }}
            {{- with include "mlflow.postgresql.volumes" .context }}
            {{- . | nindent 12 }}
            {{- end }}
            - name: backup
              persistentVolumeClaim:
                claimName: {{ include "mlflow.backup.claim" .context }}
            {{- if $artifacts }}
            - name: artifacts
              persistentVolumeClaim:
                claimName: {{ include "mlflow.artifacts.claim" .context }}
            {{- end }}
            {{- if $bucket }}
            {{- include "mlflow.s3.volumes" .context | nindent 12 }}
            {{- end }}
{{- end -}}

{{/*
A container that runs stages of a script. Takes (dict "context" $ "name" text "script" "backup" "stages" list "image"
<reference> "database" bool "bucket" bool "mountArtifacts" bool).
*/}}
{{- define "mlflow.backupStage" -}}
{{- $values := .context.Values -}}
- name: {{ .name }}
  image: {{ .image }}
  imagePullPolicy: {{ $values.global.image.pullPolicy }}
  command: [sh, /scripts/{{ .script }}.sh, {{ join ", " .stages }}]
  # What went wrong stands in the pod's status too.
  terminationMessagePolicy: FallbackToLogsOnError
  env:
    {{- if .database }}
    {{- include "mlflow.postgresql.environment" .context | nindent 4 }}
    - { name: FEAST_DATABASE, value: {{ $values.postgresql.databases.feast | quote }} }
    {{- range tuple "mlflow" "feast" }}
    - name: {{ upper . }}_PASSWORD
      valueFrom:
        secretKeyRef: { name: {{ include "mlflow.postgresql.secret" $.context }}, key: {{ . }}-password }
    {{- end }}
    {{- end }}
    {{- if .bucket }}
    - { name: HOME, value: /tmp }
    {{- include "mlflow.s3.environment" .context | nindent 4 }}
    {{- end }}
    {{- if eq .script "backup" }}
    - { name: KEEP, value: {{ $values.backup.keep | quote }} }
    - { name: ARTIFACTS, value: {{ $values.backup.artifacts | quote }} }
    {{- else }}
    - { name: RESTORE, value: {{ $values.backup.restore | quote }} }
    {{- end }}
  {{- if .bucket }}
  {{- include "mlflow.s3.secret" .context | nindent 2 }}
  {{- end }}
  resources:
    {{- toYaml $values.backup.resources | nindent 4 }}
  securityContext:
    {{- include "serinus.containerSecurityContext" .context | nindent 4 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    - { name: scripts, mountPath: /scripts, readOnly: true }
    - { name: backup, mountPath: /backup }
    {{- if .mountArtifacts }}
    - { name: artifacts, mountPath: /artifacts, readOnly: {{ eq .script "backup" }} }
    {{- end }}
    {{- if .bucket }}
    {{- include "mlflow.s3.mounts" .context | nindent 4 }}
    {{- end }}
    {{- if .database }}
    {{- with include "mlflow.postgresql.mounts" .context }}
    {{- . | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end -}}
