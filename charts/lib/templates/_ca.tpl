{{/*
The certificates of private authorities that sign a service's certificate, from a Secret or a ConfigMap: values
{existingSecret, existingConfigMap, key}. Whoever mounts them finds them at /etc/serinus/<name>/ca.crt.
*/}}

{{/*
"true" where there are any, else empty. Takes (dict "ca" .Values.x.ca).
*/}}
{{- define "serinus.ca.given" -}}
{{- if or .ca.existingSecret .ca.existingConfigMap -}}
true
{{- end -}}
{{- end -}}

{{/*
An item of `volumes`. Takes (dict "ca" .Values.x.ca "name" "s3-ca" "value" "artifacts.s3.ca").
*/}}
{{- define "serinus.ca.volume" -}}
{{- if and .ca.existingSecret .ca.existingConfigMap -}}
{{- fail (printf "%s: existingSecret and existingConfigMap are both given; one of them has the certificates" .value) -}}
{{- end -}}
- name: {{ .name }}
  {{- if .ca.existingSecret }}
  secret:
    secretName: {{ .ca.existingSecret }}
  {{- else }}
  configMap:
    name: {{ .ca.existingConfigMap }}
  {{- end }}
    items:
      - { key: {{ .ca.key | quote }}, path: ca.crt }
{{- end -}}

{{/*
An item of `volumeMounts`. Takes (dict "name" "s3-ca").
*/}}
{{- define "serinus.ca.mount" -}}
- { name: {{ .name }}, mountPath: /etc/serinus/{{ .name }}, readOnly: true }
{{- end -}}
