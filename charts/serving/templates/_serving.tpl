{{/*
Names that several templates share.
*/}}
{{- define "serving.gatewayName" -}}
{{- ternary .Release.Name .Values.gateway.existing.name .Values.gateway.create -}}
{{- end -}}

{{- define "serving.gatewayNamespace" -}}
{{- ternary .Release.Namespace .Values.gateway.existing.namespace .Values.gateway.create -}}
{{- end -}}

{{- define "serving.className" -}}
{{- .Values.gateway.className | default (printf "%s-envoy" .Release.Name) -}}
{{- end -}}

{{- define "serving.keysSecret" -}}
{{- .Values.auth.apiKeys.existingSecret | default "serinus-api-keys" -}}
{{- end -}}

{{- define "serving.adminSecret" -}}
{{- .Values.auth.apiKeys.existingAdminSecret | default "serinus-admin-keys" -}}
{{- end -}}

{{- define "serving.tlsSecret" -}}
{{- .Values.tls.existingSecret | default (include "serinus.fullname" (dict "context" . "part" "gateway-tls")) -}}
{{- end -}}

{{- define "serving.logSecret" -}}
{{- .Values.log.existingSecret | default "serinus-prediction-log" -}}
{{- end -}}

{{/*
"true" where the chart itself makes the certificate's CA.
*/}}
{{- define "serving.ownCa" -}}
{{- if and .Values.gateway.create .Values.gateway.https.enabled (not .Values.tls.existingSecret) (not .Values.tls.issuerRef) -}}true{{- end -}}
{{- end -}}

{{/*
What is refused before anything is rendered: values that each are right, and together wrong.
*/}}
{{- define "serving.check" -}}
{{- $gateway := .Values.gateway -}}
{{- if and (not $gateway.create) (or (not $gateway.existing.name) (not $gateway.existing.namespace)) -}}
{{- fail "gateway.create is false: name the cluster's own Gateway in gateway.existing.name and gateway.existing.namespace" -}}
{{- end -}}
{{- if and $gateway.create (ne $gateway.http.mode "serve") (not $gateway.https.enabled) -}}
{{- fail "no way in: gateway.https.enabled is false and gateway.http.mode is not serve" -}}
{{- end -}}
{{- if and (eq .Values.auth.type "jwt") (not .Values.auth.jwt.jwksUri) (not .Values.auth.jwt.jwks) -}}
{{- fail "auth.type is jwt: give auth.jwt.jwksUri or auth.jwt.jwks" -}}
{{- end -}}
{{- if and (eq .Values.auth.type "jwt") (not .Values.auth.jwt.issuer) -}}
{{- fail "auth.type is jwt: give auth.jwt.issuer" -}}
{{- end -}}
{{- end -}}
