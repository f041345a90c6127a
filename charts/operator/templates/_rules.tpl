{{/*
What the operator may do in a namespace that it serves. It never writes a spec of KServe's, and deletes nothing
but its own routes of InferenceServices that lost the label; the others go with their InferenceService.
*/}}
{{- define "operator.rules" -}}
- apiGroups: [serving.kserve.io]
  resources: [inferenceservices]
  verbs: [get, list, watch]
- apiGroups: [serving.kserve.io]
  resources: [inferenceservices/status]
  verbs: [patch]
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "operator.fullname" -}}
{{- include "serinus.fullname" (dict "context" . "part" "operator") -}}
{{- end -}}

{{- define "operator.labels" -}}
{{- include "serinus.labels" (dict "context" . "part" "operator") -}}
{{- end -}}

{{- define "operator.gateway" -}}
{{- printf "%s/%s" (.Values.gateway.namespace | default .Release.Namespace) (.Values.gateway.name | default .Release.Name) -}}
{{- end -}}
