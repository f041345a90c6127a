{{/*
A whole NetworkPolicy: pods of this chart neither take nor make a connection that no other policy allows.
Takes $.
*/}}
{{- define "serinus.networkPolicy.denyAll" -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "serinus.fullname" (dict "context" . "part" (printf "%s-deny" .Chart.Name)) }}
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "serinus.labels" (dict "context" . "part" .Chart.Name) | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "serinus.chartSelectorLabels" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
{{- end -}}

{{/*
An item of `egress`: the cluster's DNS.
*/}}
{{- define "serinus.networkPolicy.dns" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: kube-system
      podSelector:
        matchLabels:
          k8s-app: kube-dns
  ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
{{- end -}}

{{/*
Items of `from` or `to`: all pods of the model teams' namespaces. Takes $.
*/}}
{{- define "serinus.networkPolicy.modelNamespaces" -}}
{{- range .Values.global.models.namespaces }}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ . }}
{{- end }}
{{- end -}}

{{/*
Items of `from`: this release's Prometheus, and one that is there already. Takes $.
*/}}
{{- define "serinus.networkPolicy.prometheus" -}}
- namespaceSelector:
    matchLabels:
      kubernetes.io/metadata.name: {{ .Release.Namespace }}
  podSelector:
    matchLabels:
      app.kubernetes.io/component: prometheus
      app.kubernetes.io/part-of: serinus
{{- with (.Values.global.prometheus).from }}
{{ toYaml . }}
{{- end }}
{{- end -}}
