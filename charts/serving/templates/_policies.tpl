{{/*
How clients of one namespace's models prove who they are: the body of a SecurityPolicy.
Takes (dict "context" $ "namespace" ns); without a namespace only the administrator passes.
*/}}
{{- define "serving.security" -}}
{{- $auth := .context.Values.auth -}}
{{- if eq $auth.type "apiKeys" }}
apiKeyAuth:
  credentialRefs:
    # Of two Secrets with the same client the first one counts.
    - kind: Secret
      name: {{ include "serving.adminSecret" .context }}
      namespace: {{ .context.Release.Namespace }}
    {{- if .namespace }}
    - kind: Secret
      name: {{ include "serving.keysSecret" .context }}
    {{- end }}
  extractFrom:
    - headers: [{{ $auth.apiKeys.header }}]
  forwardClientIDHeader: {{ $auth.clientHeader }}
  # Servers have no use for the key.
  sanitize: true
{{- else if eq $auth.type "jwt" }}
jwt:
  providers:
    - name: serinus
      issuer: {{ $auth.jwt.issuer | quote }}
      {{- with $auth.jwt.audiences }}
      audiences:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if $auth.jwt.jwks }}
      localJWKS:
        type: Inline
        inline: {{ $auth.jwt.jwks | quote }}
      {{- else }}
      remoteJWKS:
        uri: {{ $auth.jwt.jwksUri | quote }}
        cacheDuration: {{ $auth.jwt.jwksCacheSeconds }}s
        {{- with $auth.jwt.jwksFrom }}
        {{- if .name }}
        backendRefs:
          - group: {{ include "serving.jwksGroup" $auth | quote }}
            kind: {{ .kind }}
            name: {{ .name }}
            namespace: {{ .namespace }}
            port: {{ .port }}
        {{- end }}
        {{- end }}
      {{- end }}
      claimToHeaders:
        - { claim: {{ $auth.jwt.clientClaim }}, header: {{ $auth.clientHeader }} }
authorization:
  defaultAction: Deny
  rules:
    - name: namespaces
      action: Allow
      principal:
        jwt:
          provider: serinus
          claims:
            - name: {{ $auth.jwt.namespacesClaim }}
              valueType: StringArray
              values:
                - {{ $auth.jwt.everyNamespace | quote }}
                {{- with .namespace }}
                - {{ . }}
                {{- end }}
{{- end }}
{{- end -}}

{{/*
What a request may cost: the body of a BackendTrafficPolicy. Takes (dict "context" $ "limits" <limits>).
*/}}
{{- define "serving.traffic" -}}
{{- $limits := .limits -}}
timeout:
  tcp:
    connectTimeout: {{ $limits.connectSeconds }}s
  http:
    requestTimeout: {{ $limits.requestSeconds }}s
{{- with $limits.retries }}
retry:
  numRetries: {{ . }}
  retryOn:
    # Nothing else: what a server began to answer is the client's to repeat.
    triggers: [connect-failure, refused-stream, reset-before-request]
  perRetry:
    backOff: { baseInterval: 25ms, maxInterval: 250ms }
{{- end }}
# Read whole before it is sent on, so that slow clients and large bodies stop here.
requestBuffer:
  limit: {{ $limits.body }}
{{- if $limits.requests }}
rateLimit:
  local:
    rules:
      {{- if ne .context.Values.auth.type "none" }}
      # Each client has a bucket of its own.
      - clientSelectors:
          - headers:
              - { name: {{ .context.Values.auth.clientHeader }}, type: Distinct }
        limit: { requests: {{ $limits.requests }}, unit: {{ $limits.per }} }
      {{- end }}
      # Those without a name share one: a token need not have the claim.
      - limit: { requests: {{ $limits.requests }}, unit: {{ $limits.per }} }
{{- end }}
responseOverride:
  {{- if eq .context.Values.auth.type "apiKeys" }}
  - {{- include "serving.answer" (dict "status" 401 "error" (printf "%s: no key of a client of this model" .context.Values.auth.apiKeys.header)) | nindent 4 }}
  {{- else if eq .context.Values.auth.type "jwt" }}
  - {{- include "serving.answer" (dict "status" 401 "error" "authorization: no valid token (%RESPONSE_CODE_DETAILS%)") | nindent 4 }}
  - {{- include "serving.answer" (dict "status" 403 "error" (printf "authorization: no token whose claim %s names this model's namespace" .context.Values.auth.jwt.namespacesClaim)) | nindent 4 }}
  {{- end }}
  - {{- include "serving.answer" (dict "status" 413 "error" (printf "body: larger than %s" $limits.body)) | nindent 4 }}
  - {{- include "serving.answer" (dict "status" 429 "error" (printf "too many requests: %v per %s" $limits.requests (lower $limits.per)) "retry" (get (dict "Second" "1" "Minute" "60" "Hour" "3600") $limits.per)) | nindent 4 }}
  - {{- include "serving.answer" (dict "status" 503 "error" "no server of this model is ready" "retry" "1") | nindent 4 }}
  - {{- include "serving.answer" (dict "status" 504 "error" (printf "the model did not answer within %v s" $limits.requestSeconds)) | nindent 4 }}
{{- end -}}

{{/*
An answer of Envoy's own in the words that the servers use. Takes (dict "status" n "error" text "retry" seconds).
*/}}
{{- define "serving.answer" }}
source: Local
match:
  statusCodes:
    - { type: Value, value: {{ .status }} }
response:
  contentType: application/json
  body:
    type: Inline
    inline: {{ dict "error" .error | toJson | quote }}
  {{- with .retry }}
  header:
    set:
      - { name: retry-after, value: {{ . | quote }} }
  {{- end }}
{{- end -}}

{{/*
Which routes of a model namespace a policy is for.
*/}}
{{- define "serving.routes" -}}
targetSelectors:
  - group: gateway.networking.k8s.io
    kind: HTTPRoute
    matchLabels:
      serinus.dev/route: "true"
{{- end -}}
