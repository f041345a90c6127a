{{/*
Backup and restore are the same pod with another script. Takes (dict "context" $ "verb" "backup" "schedule" text "suspend" bool).
*/}}
{{- define "mlflow.backupCronJob" -}}
{{- $values := .context.Values -}}
{{- $part := dict "context" .context "part" (printf "mlflow-%s" .verb) -}}
{{- $artifacts := not $values.artifacts.s3.bucket -}}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "serinus.fullname" $part }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "serinus.labels" $part | nindent 4 }}
spec:
  schedule: {{ .schedule | quote }}
  timeZone: Etc/UTC
  suspend: {{ .suspend }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      backoffLimit: 2
      activeDeadlineSeconds: 3600
      # Exit code 2 is a request that would fail again.
      podFailurePolicy:
        rules:
          - action: FailJob
            onExitCodes: { containerName: {{ .verb }}, operator: In, values: [2] }
          - action: Ignore
            onPodConditions:
              - { type: DisruptionTarget, status: "True" }
      template:
        metadata:
          labels:
            {{- include "serinus.podLabels" $part | nindent 12 }}
        spec:
          restartPolicy: Never
          automountServiceAccountToken: false
          enableServiceLinks: false
          # As MLflow, whose artifacts are read and written.
          securityContext:
            {{- include "serinus.podSecurityContext" (dict "uid" 65532) | nindent 12 }}
          {{- if $artifacts }}
          # One node may mount the artifacts: MLflow's, as long as MLflow runs.
          affinity:
            podAffinity:
              preferredDuringSchedulingIgnoredDuringExecution:
                - weight: 100
                  podAffinityTerm:
                    topologyKey: kubernetes.io/hostname
                    labelSelector:
                      matchLabels:
                        {{- include "serinus.selectorLabels" (dict "context" .context "part" "mlflow") | nindent 24 }}
          {{- end }}
          containers:
            - name: {{ .verb }}
              image: {{ include "serinus.image" (dict "context" .context "image" $values.postgresql.image) }}
              imagePullPolicy: {{ $values.global.image.pullPolicy }}
              command: [sh, /scripts/{{ .verb }}.sh]
              env:
                - { name: PGHOST, value: {{ include "mlflow.postgresql.host" .context | quote }} }
                - { name: PGPORT, value: {{ include "mlflow.postgresql.port" .context | quote }} }
                {{- if not $values.postgresql.enabled }}
                - { name: PGSSLMODE, value: {{ $values.postgresql.external.sslMode | quote }} }
                {{- end }}
                - { name: MLFLOW_DATABASE, value: {{ $values.postgresql.databases.mlflow | quote }} }
                - { name: AUTH_DATABASE, value: {{ $values.postgresql.databases.auth | quote }} }
                - { name: FEAST_DATABASE, value: {{ $values.postgresql.databases.feast | quote }} }
                {{- range tuple "mlflow" "feast" }}
                - name: {{ upper . }}_PASSWORD
                  valueFrom:
                    secretKeyRef: { name: {{ include "mlflow.postgresql.secret" $.context }}, key: {{ . }}-password }
                {{- end }}
                {{- if eq .verb "backup" }}
                - { name: KEEP, value: {{ $values.backup.keep | quote }} }
                {{- else }}
                - { name: RESTORE, value: {{ $values.backup.restore | quote }} }
                {{- end }}
              resources:
                {{- toYaml $values.backup.resources | nindent 16 }}
              securityContext:
                {{- include "serinus.containerSecurityContext" .context | nindent 16 }}
              volumeMounts:
                - { name: tmp, mountPath: /tmp }
                - { name: scripts, mountPath: /scripts, readOnly: true }
                - { name: backup, mountPath: /backup }
                {{- if $artifacts }}
                - { name: artifacts, mountPath: /artifacts, readOnly: {{ eq .verb "backup" }} }
                {{- end }}
          volumes:
            - name: tmp
              emptyDir: {}
            {{- include "mlflow.scriptsVolume" .context | nindent 12 }}
            - name: backup
              persistentVolumeClaim:
                claimName: {{ include "mlflow.backup.claim" .context }}
            {{- if $artifacts }}
            - name: artifacts
              persistentVolumeClaim:
                claimName: {{ include "mlflow.artifacts.claim" .context }}
            {{- end }}
{{- end -}}
