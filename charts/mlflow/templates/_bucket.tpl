{{/*
What a container needs to reach the bucket of artifacts.s3: items of `env`, `envFrom`, `volumeMounts` and, for its pod,
`volumes`. Each takes $; each may be empty.
*/}}
{{- define "mlflow.s3.environment" -}}
{{- $s3 := .Values.artifacts.s3 -}}
- { name: ARTIFACTS_BUCKET, value: {{ $s3.bucket | quote }} }
- { name: ARTIFACTS_PREFIX, value: {{ $s3.prefix | quote }} }
{{- with $s3.endpoint }}
- { name: MLFLOW_S3_ENDPOINT_URL, value: {{ . | quote }} }
{{- end }}
{{- with $s3.region }}
- { name: AWS_DEFAULT_REGION, value: {{ . | quote }} }
{{- end }}
{{- if include "serinus.ca.given" (dict "ca" $s3.ca) }}
- { name: AWS_CA_BUNDLE, value: /etc/serinus/s3-ca/ca.crt }
{{- end }}
{{- end -}}

{{- define "mlflow.s3.secret" -}}
{{- with .Values.artifacts.s3.existingSecret -}}
envFrom:
  - secretRef: { name: {{ . }} }
{{- end -}}
{{- end -}}

{{- define "mlflow.s3.mounts" -}}
{{- if include "serinus.ca.given" (dict "ca" .Values.artifacts.s3.ca) -}}
{{ include "serinus.ca.mount" (dict "name" "s3-ca") }}
{{- end -}}
{{- end -}}

{{- define "mlflow.s3.volumes" -}}
{{- if include "serinus.ca.given" (dict "ca" .Values.artifacts.s3.ca) -}}
{{ include "serinus.ca.volume" (dict "ca" .Values.artifacts.s3.ca "name" "s3-ca" "value" "artifacts.s3.ca") }}
{{- end -}}
{{- end -}}

{{/*
An init container that asks for the bucket before MLflow starts: without it a wrong name or key shows itself only when
the first run is logged, as an error of MLflow's own.
*/}}
{{- define "mlflow.checkBucket" -}}
- name: check-bucket
  image: {{ include "serinus.ownImage" (dict "context" . "name" "mlflow") }}
  imagePullPolicy: {{ .Values.global.image.pullPolicy }}
  command: [python, /scripts/bucket.py, check]
  # What is wrong stands in the pod's status too: kubectl describe pod.
  terminationMessagePolicy: FallbackToLogsOnError
  env:
    - { name: HOME, value: /tmp }
    {{- include "mlflow.s3.environment" . | nindent 4 }}
  {{- include "mlflow.s3.secret" . | nindent 2 }}
  resources:
    requests: { cpu: 10m, memory: 64Mi }
    limits: { memory: 256Mi }
  securityContext:
    {{- include "serinus.containerSecurityContext" . | nindent 4 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    - { name: scripts, mountPath: /scripts, readOnly: true }
    {{- include "mlflow.s3.mounts" . | nindent 4 }}
{{- end -}}

{{/*
The port that the network policy opens.
*/}}
{{- define "mlflow.s3.port" -}}
{{- $s3 := .Values.artifacts.s3 -}}
{{- $url := urlParse $s3.endpoint -}}
{{- if $s3.port -}}
{{ $s3.port }}
{{- else if regexMatch ":[0-9]+$" $url.host -}}
{{ regexFind "[0-9]+$" $url.host }}
{{- else -}}
{{ ternary 80 443 (eq $url.scheme "http") }}
{{- end -}}
{{- end -}}
