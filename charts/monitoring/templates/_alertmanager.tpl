{{/*
Who is told of an alert, and what is not told because something else explains it. Takes $.
*/}}
{{- define "monitoring.alertmanager" -}}
route:
  receiver: everyone
  group_by: [alertname, namespace, model]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
  routes:
    - matchers: [alertname = SerinusWatchdog]
      receiver: watchdog
      group_wait: 0s
      repeat_interval: 1m
# What explains the rest is told, and the rest is not.
inhibit_rules:
  - source_matchers: [alertname = SerinusGatewayDown]
    target_matchers: ['alertname =~ "SerinusGateway.+|SerinusModelUnavailable"']
  - source_matchers: [severity = critical, 'model != ""']
    target_matchers: [severity = warning]
    equal: [namespace, model, revision]
receivers:
  - name: everyone
    {{- with .Values.alertmanager.webhookUrl }}
    webhook_configs:
      - url: {{ . | quote }}
        send_resolved: true
    {{- end }}
  - name: watchdog
    {{- with .Values.alertmanager.watchdogUrl }}
    webhook_configs:
      - url: {{ . | quote }}
        send_resolved: false
    {{- end }}
{{ end -}}
