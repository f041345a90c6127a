{{/*
Labels of an object. Takes (dict "context" $ "part" "mlflow").
*/}}
{{- define "serinus.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .context.Chart.Name .context.Chart.Version | replace "+" "_" }}
{{ include "serinus.selectorLabels" . }}
app.kubernetes.io/version: {{ .context.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .context.Release.Service }}
app.kubernetes.io/part-of: serinus
{{- end -}}

{{/*
What never changes between versions: selectors and volume claim templates carry only these.
*/}}
{{- define "serinus.selectorLabels" -}}
{{ include "serinus.chartSelectorLabels" .context }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{/*
Selects all pods that one chart brings into one release. Takes $.
*/}}
{{- define "serinus.chartSelectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/*
Labels of pods and of their volumes: none that changes with the chart's version, so that an upgrade restarts only
what it changes. Takes (dict "context" $ "part" "mlflow").
*/}}
{{- define "serinus.podLabels" -}}
{{ include "serinus.selectorLabels" . }}
app.kubernetes.io/part-of: serinus
{{- end -}}
