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
API group of what `auth.jwt.jwksFrom` names. Takes .Values.auth.
*/}}
{{- define "serving.jwksGroup" -}}
{{- if eq .jwt.jwksFrom.kind "Backend" -}}gateway.envoyproxy.io{{- end -}}
{{- end -}}

{{/*
"true" where the issuer's keys are read from an object of this cluster.
*/}}
{{- define "serving.jwksFrom" -}}
{{- if and (eq .Values.auth.type "jwt") (not .Values.auth.jwt.jwks) .Values.auth.jwt.jwksFrom.name -}}true{{- end -}}
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
{{- $teams := .Values.global.models.namespaces -}}
{{- range $value, $byNamespace := dict "limits.byNamespace" .Values.limits.byNamespace "auth.apiKeys.clientsByNamespace" .Values.auth.apiKeys.clientsByNamespace -}}
{{- range $namespace, $_ := $byNamespace -}}
{{- if not (has $namespace $teams) -}}
{{- fail (printf "%s: %s is none of global.models.namespaces: %s" $value $namespace (join ", " $teams)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $gateway.create (ne $gateway.http.mode "serve") (not $gateway.https.enabled) -}}
{{- fail "no way in: gateway.https.enabled is false and gateway.http.mode is not serve" -}}
{{- end -}}
{{- if and $gateway.create (eq $gateway.http.mode "redirect") (has .Release.Namespace .Values.global.models.namespaces) -}}
{{- fail (printf "models in the release's own namespace %s would be served in clear text on port 80, where only its redirect belongs: give them another namespace, or set gateway.http.mode" .Release.Namespace) -}}
{{- end -}}
{{- if and (eq .Values.auth.type "jwt") (not .Values.auth.jwt.jwksUri) (not .Values.auth.jwt.jwks) -}}
{{- fail "auth.type is jwt: give auth.jwt.jwksUri or auth.jwt.jwks" -}}
{{- end -}}
{{- if and (eq .Values.auth.type "jwt") (not .Values.auth.jwt.issuer) -}}
{{- fail "auth.type is jwt: give auth.jwt.issuer" -}}
{{- end -}}
{{- $from := .Values.auth.jwt.jwksFrom -}}
{{- if and (eq .Values.auth.type "jwt") .Values.auth.jwt.jwks .Values.auth.jwt.jwksUri -}}
{{- fail "auth.jwt.jwks and auth.jwt.jwksUri are both given: the keys are read from one place" -}}
{{- end -}}
{{- $ca := or $from.ca.existingConfigMap $from.ca.existingSecret -}}
{{- if and (or $from.name $ca) (not .Values.auth.jwt.jwksUri) -}}
{{- fail "auth.jwt.jwksFrom needs auth.jwt.jwksUri: host and path of the issuer's keys" -}}
{{- end -}}
{{- if ne (not $from.name) (not $from.namespace) -}}
{{- fail "auth.jwt.jwksFrom: give both name and namespace, or neither" -}}
{{- end -}}
{{- if and $ca (or (not $from.name) (ne $from.kind "Service")) -}}
{{- fail "auth.jwt.jwksFrom.ca is for a Service that jwksFrom names; a Backend names its CA itself" -}}
{{- end -}}
{{- if and $from.ca.existingConfigMap $from.ca.existingSecret -}}
{{- fail "auth.jwt.jwksFrom.ca: give existingConfigMap or existingSecret, not both" -}}
{{- end -}}
{{- end -}}
