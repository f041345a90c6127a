{{/*
Prometheus' scrape configuration, a list. Pods ask to be scraped by annotations: prometheus.io/scrape, port, path.
Takes $.
*/}}
{{- define "monitoring.scrapeConfigs" -}}
{{- $serving := int .Values.prometheus.scrape.servingSeconds -}}
- job_name: model-servers
  scrape_interval: {{ $serving }}s
  scrape_timeout: {{ max 1 (sub $serving 1) }}s
  kubernetes_sd_configs:
    - role: pod
      selectors: [{ role: pod, label: serving.kserve.io/inferenceservice }]
  relabel_configs:
    {{- include "monitoring.annotatedPods" . | nindent 4 }}
    - source_labels: [__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice]
      target_label: inferenceservice
- job_name: envoy
  scrape_interval: {{ $serving }}s
  scrape_timeout: {{ max 1 (sub $serving 1) }}s
  kubernetes_sd_configs:
    - role: pod
      selectors: [{ role: pod, label: "app.kubernetes.io/managed-by=envoy-gateway,app.kubernetes.io/component=proxy" }]
  relabel_configs:
    {{- include "monitoring.annotatedPods" . | nindent 4 }}
    - source_labels: [__meta_kubernetes_pod_label_gateway_envoyproxy_io_owning_gateway_name]
      target_label: gateway
  # Of Envoy's hundreds of families, those that boards, alerts and the judge read.
  metric_relabel_configs:
    - source_labels: [__name__]
      regex: {{ include "monitoring.envoyFamilies" . | quote }}
      action: keep
- job_name: pods
  kubernetes_sd_configs:
    - role: pod
  relabel_configs:
    - source_labels: [__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice]
      regex: .+
      action: drop
    - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_managed_by, __meta_kubernetes_pod_label_app_kubernetes_io_component]
      regex: envoy-gateway;proxy
      action: drop
    {{- include "monitoring.annotatedPods" . | nindent 4 }}
    - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_name]
      target_label: app
    - source_labels: [__meta_kubernetes_pod_label_app_kubernetes_io_component]
      target_label: component
  # The operator speaks of other namespaces than its own.
  honor_labels: true
- job_name: nodes
  scheme: https
  metrics_path: /metrics/resource
  kubernetes_sd_configs: [{ role: node }]
  {{- include "monitoring.kubelet" . | nindent 2 }}
- job_name: volumes
  scheme: https
  kubernetes_sd_configs: [{ role: node }]
  {{- include "monitoring.kubelet" . | nindent 2 }}
  metric_relabel_configs:
    - source_labels: [__name__]
      regex: kubelet_volume_stats_(available|capacity)_bytes
      action: keep
{{- if .Values.kubeStateMetrics.enabled }}
- job_name: kube-state-metrics
  honor_labels: true
  static_configs:
    - targets: ["{{ include "serinus.host" (dict "context" . "part" "kube-state-metrics") }}:8080"]
{{- end }}
{{- range .Values.redisExporter.targets }}
{{- $name := .name | default .part }}
- job_name: {{ $name }}
  static_configs:
    - targets: ["{{ include "serinus.host" (dict "context" $ "part" (printf "%s-exporter" $name)) }}:9121"]
      labels: { redis: {{ $name }} }
{{- end }}
{{- if .Values.alertmanager.enabled }}
- job_name: alertmanager
  static_configs:
    - targets: ["{{ include "serinus.host" (dict "context" . "part" "alertmanager") }}:9093"]
{{- end }}
{{- if .Values.grafana.enabled }}
- job_name: grafana
  static_configs:
    - targets: ["{{ include "serinus.host" (dict "context" . "part" "grafana") }}:3000"]
{{- end }}
{{- with .Values.prometheus.scrape.extra }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "monitoring.annotatedPods" -}}
- source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_scrape]
  regex: "true"
  action: keep
# A pod that ended keeps its annotations.
- source_labels: [__meta_kubernetes_pod_phase]
  regex: Succeeded|Failed
  action: drop
# One target a pod, at the annotated port, whatever ports its containers declare: equal targets are one.
- source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
  regex: "([0-9.]+);([0-9]+)"
  replacement: "$1:$2"
  target_label: __address__
- source_labels: [__meta_kubernetes_pod_ip, __meta_kubernetes_pod_annotation_prometheus_io_port]
  regex: "([0-9a-f]*:[0-9a-f:]+);([0-9]+)"
  replacement: "[$1]:$2"
  target_label: __address__
- source_labels: [__meta_kubernetes_pod_annotation_prometheus_io_path]
  regex: (/.*)
  target_label: __metrics_path__
- source_labels: [__meta_kubernetes_namespace]
  target_label: namespace
- source_labels: [__meta_kubernetes_pod_name]
  target_label: pod
{{- end -}}

{{- define "monitoring.kubelet" -}}
# The kubelet's serving certificate is its own; the pod network, not TLS, is what is trusted here.
tls_config: { insecure_skip_verify: true }
authorization: { credentials_file: /var/run/secrets/kubernetes.io/serviceaccount/token }
relabel_configs:
  - source_labels: [__meta_kubernetes_node_name]
    target_label: node
{{- end -}}

{{- define "monitoring.envoyFamilies" -}}
envoy_cluster_(upstream_rq_(xx|total|time_(bucket|sum|count)|timeout|retry|active|pending_overflow|rx_reset)|upstream_cx_(active|connect_fail|none_healthy)|membership_(healthy|total))|envoy_http_(downstream_rq_(xx|total|active|time_(bucket|sum|count)|too_large|timeout)|downstream_cx_active|no_cluster|no_route|local_rate_limit_.*|jwt_authn_.*|api_key_auth_.*)|envoy_server_(live|uptime|memory_allocated|days_until_first_cert_expiring)
{{- end -}}

{{/*
Head of a PodMonitor. Takes (dict "context" $ "job" "envoy").
*/}}
{{- define "monitoring.podMonitor" -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "serinus.fullname" (dict "context" .context "part" .job) }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "serinus.labels" (dict "context" .context "part" "prometheus") | nindent 4 }}
    {{- with .context.Values.prometheus.scrape.podMonitorLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/*
An item of `relabelings`, the last: prometheus-operator finds a target for each port of each container and names both.
Without these labels they are one. Takes their names, `a|b`.
*/}}
{{- define "monitoring.oneTarget" -}}
- { action: labeldrop, regex: {{ . | quote }} }
{{- end -}}

{{/*
Rule files by name: those of files/rules, and the limits that values set. Takes $.
*/}}
{{- define "monitoring.rules" -}}
{{- range $path, $text := .Files.Glob "files/rules/*.yaml" }}
{{ base $path }}: |
  {{- $text | toString | replace "runbook_url: " (printf "runbook_url: %s/" (trimSuffix "/" $.Values.alerts.runbooks)) | nindent 2 }}
{{- end }}
thresholds.yaml: |
  {{- include "monitoring.thresholds" . | nindent 2 }}
{{- end -}}

{{/*
One series a served model and limit, so that an alert compares a model with its own. Takes $.
*/}}
{{- define "monitoring.thresholds" -}}
groups:
  - name: serinus-thresholds
    rules:
      {{- range $limit, $value := .Values.alerts.thresholds }}
      {{- $own := list }}
      - record: serinus:threshold
        labels: { limit: {{ $limit }} }
        expr: |
          {{- range $model, $limits := $.Values.alerts.models }}
          {{- if hasKey $limits $limit }}
          {{- $own = append $own $model }}
          max by (namespace, model) (serinus_model_info{model={{ $model | quote }}}) * 0 + {{ get $limits $limit }} or
          {{- end }}
          {{- end }}
          max by (namespace, model) (serinus_model_info{model!~{{ join "|" $own | quote }}}) * 0 + {{ $value }}
      {{- end }}
      - record: serinus:price:cpu_hour
        expr: vector({{ .Values.costs.cpuHour }})
      - record: serinus:price:gib_hour
        expr: vector({{ .Values.costs.gibHour }})
{{- end -}}
