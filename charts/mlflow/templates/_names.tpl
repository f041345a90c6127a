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

{{- define "mlflow.scriptsVolume" -}}
- name: scripts
  configMap:
    name: {{ include "serinus.fullname" (dict "context" . "part" "mlflow-scripts") }}
{{- end -}}
