{{/*
Where PostgreSQL is and how it is spoken to, in libpq's words: items of `env`. Takes $.
*/}}
{{- define "mlflow.postgresql.environment" -}}
- { name: PGHOST, value: {{ include "mlflow.postgresql.host" . | quote }} }
- { name: PGPORT, value: {{ include "mlflow.postgresql.port" . | quote }} }
{{- if not .Values.postgresql.enabled }}
- { name: PGSSLMODE, value: {{ .Values.postgresql.external.sslMode | quote }} }
{{- with include "mlflow.postgresql.authorities" . }}
- { name: PGSSLROOTCERT, value: {{ . }} }
{{- end }}
{{- end }}
- { name: MLFLOW_DATABASE, value: {{ .Values.postgresql.databases.mlflow | quote }} }
- { name: AUTH_DATABASE, value: {{ .Values.postgresql.databases.auth | quote }} }
{{- end -}}

{{/*
The login of MLflow's role, and its databases as SQLAlchemy names them. All else SQLAlchemy's driver reads as libpq does, so
the password may hold any character and stands in no address, argument or file. Takes $.
*/}}
{{- define "mlflow.postgresql.login" -}}
{{ include "mlflow.postgresql.environment" . }}
# libpq would look the name up by the user id, which has none in these images.
- { name: PGUSER, value: mlflow }
- name: PGPASSWORD
  valueFrom:
    secretKeyRef: { name: {{ include "mlflow.postgresql.secret" . }}, key: mlflow-password }
{{- $server := printf "postgresql+psycopg2://mlflow@%s:%s" (include "mlflow.postgresql.host" .) (include "mlflow.postgresql.port" .) }}
- { name: MLFLOW_BACKEND_STORE_URI, value: {{ printf "%s/%s" $server .Values.postgresql.databases.mlflow | quote }} }
- { name: AUTH_DATABASE_URI, value: {{ printf "%s/%s" $server .Values.postgresql.databases.auth | quote }} }
{{- end -}}

{{/*
The file of the authorities by which an external server's certificate is checked; empty where it is not.
*/}}
{{- define "mlflow.postgresql.authorities" -}}
{{- $external := .Values.postgresql.external -}}
{{- if and (not .Values.postgresql.enabled) (hasPrefix "verify-" $external.sslMode) -}}
{{- if not (include "serinus.ca.given" (dict "ca" $external.ca)) -}}
{{- fail (printf "postgresql.external.sslMode %s needs the authorities' certificates: name their Secret or ConfigMap in postgresql.external.ca" $external.sslMode) -}}
{{- end -}}
/etc/serinus/postgresql-ca/ca.crt
{{- end -}}
{{- end -}}

{{- define "mlflow.postgresql.mounts" -}}
{{- if include "mlflow.postgresql.authorities" . -}}
{{ include "serinus.ca.mount" (dict "name" "postgresql-ca") }}
{{- end -}}
{{- end -}}

{{- define "mlflow.postgresql.volumes" -}}
{{- if include "mlflow.postgresql.authorities" . -}}
{{ include "serinus.ca.volume" (dict "ca" .Values.postgresql.external.ca "name" "postgresql-ca" "value" "postgresql.external.ca") }}
{{- end -}}
{{- end -}}

{{/*
An init container that waits until PostgreSQL answers and lets MLflow in. The pod needs mlflow.scriptsVolume and
mlflow.postgresql.volumes.
*/}}
{{- define "mlflow.waitForPostgresql" -}}
- name: wait-for-postgresql
  image: {{ include "serinus.image" (dict "context" . "image" .Values.postgresql.image) }}
  imagePullPolicy: {{ .Values.global.image.pullPolicy }}
  command: [sh, /scripts/wait-for-postgresql.sh]
  # Why MLflow is not let in stands in the pod's status: kubectl describe pod.
  terminationMessagePolicy: FallbackToLogsOnError
  env:
    {{- include "mlflow.postgresql.login" . | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { memory: 64Mi }
  securityContext:
    {{- include "serinus.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
    - { name: scripts, mountPath: /scripts, readOnly: true }
    {{- with include "mlflow.postgresql.mounts" . }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end -}}
