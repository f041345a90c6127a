{{- define "mlflow.postgresql.host" -}}
{{- if .Values.postgresql.enabled -}}
{{ include "serinus.host" (dict "context" . "part" "postgresql") }}
{{- else -}}
{{ required "postgresql.external.host is needed where postgresql.enabled is false" .Values.postgresql.external.host }}
{{- end -}}
{{- end -}}

{{- define "mlflow.postgresql.port" -}}
{{ ternary 5432 (int .Values.postgresql.external.port) .Values.postgresql.enabled }}
{{- end -}}

{{- define "mlflow.postgresql.query" -}}
{{- if not .Values.postgresql.enabled -}}
?sslmode={{ .Values.postgresql.external.sslMode }}
{{- end -}}
{{- end -}}

{{- define "mlflow.postgresql.secret" -}}
{{ .Values.postgresql.existingSecret | default (include "serinus.fullname" (dict "context" . "part" "postgresql")) }}
{{- end -}}

{{- define "mlflow.auth.secret" -}}
{{ .Values.auth.existingSecret | default (include "serinus.fullname" (dict "context" . "part" "mlflow")) }}
{{- end -}}

{{- define "mlflow.uri" -}}
http://{{ include "serinus.host" (dict "context" . "part" "mlflow") }}:5000
{{- end -}}

{{- define "mlflow.artifacts.claim" -}}
{{ .Values.artifacts.storage.existingClaim | default (include "serinus.fullname" (dict "context" . "part" "mlflow-artifacts")) }}
{{- end -}}

{{- define "mlflow.backup.claim" -}}
{{ .Values.backup.storage.existingClaim | default (include "serinus.fullname" (dict "context" . "part" "mlflow-backup")) }}
{{- end -}}

{{/*
MLFLOW_DATABASE_PASSWORD and what is made of it: passwords reach a process through its environment, never its arguments.
*/}}
{{- define "mlflow.databaseEnvironment" -}}
- name: MLFLOW_DATABASE_PASSWORD
  valueFrom:
    secretKeyRef: { name: {{ include "mlflow.postgresql.secret" . }}, key: mlflow-password }
{{- end -}}

{{/*
An init container that waits until PostgreSQL answers, and a volume with the scripts, which it needs.
*/}}
{{- define "mlflow.waitForPostgresql" -}}
- name: wait-for-postgresql
  image: {{ include "serinus.image" (dict "context" . "image" .Values.postgresql.image) }}
  imagePullPolicy: {{ .Values.global.image.pullPolicy }}
  command: [sh, /scripts/wait-for-postgresql.sh]
  env:
    - { name: PGHOST, value: {{ include "mlflow.postgresql.host" . | quote }} }
    - { name: PGPORT, value: {{ include "mlflow.postgresql.port" . | quote }} }
    # libpq would look the name up by the user id, which has none in this image.
    - { name: PGUSER, value: mlflow }
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { memory: 64Mi }
  securityContext:
    {{- include "serinus.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
    - { name: scripts, mountPath: /scripts, readOnly: true }
{{- end -}}

{{- define "mlflow.scriptsVolume" -}}
- name: scripts
  configMap:
    name: {{ include "serinus.fullname" (dict "context" . "part" "mlflow-scripts") }}
{{- end -}}
