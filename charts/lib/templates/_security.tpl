{{/*
Pod-level half of the Pod Security Standard "restricted". Takes (dict "uid" n); the group owns mounted volumes.
*/}}
{{- define "serinus.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{/*
Container-level half: no privilege, and nothing but mounted volumes is writable.
*/}}
{{- define "serinus.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
