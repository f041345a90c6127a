{{/*
A full image reference, with the registry host replaced where global.image.registry names a mirror.
Takes (dict "context" $ "image" .Values.x.image).
*/}}
{{- define "serinus.image" -}}
{{- $mirror := .context.Values.global.image.registry -}}
{{- if $mirror -}}
{{- $parts := splitList "/" .image -}}
{{- $host := first $parts -}}
{{- if and (gt (len $parts) 1) (or (contains "." $host) (contains ":" $host) (eq $host "localhost")) -}}
{{- $parts = rest $parts -}}
{{- end -}}
{{- printf "%s/%s" (trimSuffix "/" $mirror) (join "/" $parts) -}}
{{- else -}}
{{- .image -}}
{{- end -}}
{{- end -}}

{{/*
The reference of one of Serinus' own images: of global.serinus.images, else serinus/<name>:<appVersion>.
Takes (dict "context" $ "name" "jobs"); names are model-server, jobs, operator, mlflow.
*/}}
{{- define "serinus.ownImage" -}}
{{- $key := get (dict "model-server" "modelServer" "jobs" "jobs" "operator" "operator" "mlflow" "mlflow") .name -}}
{{- $given := get .context.Values.global.serinus.images (required (printf "no own image is called %s" .name) $key) -}}
{{- $image := $given | default (printf "serinus/%s:%s" .name .context.Chart.AppVersion) -}}
{{- include "serinus.image" (dict "context" .context "image" $image) -}}
{{- end -}}
