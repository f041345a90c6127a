{{/*
A Job whose only pod mounts a claim and makes one folder in it: most storage binds a claim when a pod first wants it,
and `helm --wait` waits for bound claims. A Job's template cannot change, hence the digest in its name.
Takes (dict "context" $ "part" "data" "namespace" ns "claim" name "image" <reference> "uid" 65532 "folder" "incoming").
*/}}
{{- define "serinus.claimJob" -}}
{{- $spec := include "serinus.claimJob.spec" . -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .claim }}-{{ sha256sum $spec | trunc 8 }}
  namespace: {{ .namespace }}
  labels:
    {{- include "serinus.labels" . | nindent 4 }}
spec:
  {{- $spec | nindent 2 }}
{{- end -}}

{{- define "serinus.claimJob.spec" -}}
backoffLimit: 3
activeDeadlineSeconds: 600
template:
  metadata:
    labels:
      {{- include "serinus.podLabels" . | nindent 6 }}
  spec:
    restartPolicy: Never
    automountServiceAccountToken: false
    enableServiceLinks: false
    securityContext:
      {{- include "serinus.podSecurityContext" . | nindent 6 }}
    containers:
      - name: folder
        image: {{ .image }}
        imagePullPolicy: {{ .context.Values.global.image.pullPolicy }}
        command: [mkdir, -p, /claim/{{ .folder }}]
        resources:
          requests: { cpu: 10m, memory: 16Mi }
          limits: { memory: 64Mi }
        securityContext:
          {{- include "serinus.containerSecurityContext" . | nindent 10 }}
        volumeMounts:
          - { name: claim, mountPath: /claim }
    volumes:
      - name: claim
        persistentVolumeClaim:
          claimName: {{ .claim }}
{{- end -}}
