{{/*
One Redis with an append-only file and users of an ACL file: ConfigMap, Service and StatefulSet, each a template.
All take (dict "context" $ "part" "redis" "values" .Values.redis "acl" <text of the ACL file>), where
values holds image, resources, maxMemory, appendFsync, storage.{size,className}. The chart itself writes the Secret
`<release>-<part>-acl` with the key users.acl, from the same text; the file must have the user `probe`, which
may only PING: `user probe on nopass -@all +ping`.
*/}}
{{- define "serinus.redis.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "serinus.fullname" . }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "serinus.labels" . | nindent 4 }}
data:
  redis.conf: |
    {{- include "serinus.redis.config" . | nindent 4 }}
{{- end -}}

{{- define "serinus.redis.config" -}}
port 6379
dir /data
# Users are those of the ACL file, and each has a password or no rights.
protected-mode no
aclfile /etc/redis-acl/users.acl
appendonly yes
appendfsync {{ .values.appendFsync }}
save ""
maxmemory {{ .values.maxMemory }}
# A full store refuses writes; it never forgets what it has taken.
maxmemory-policy noeviction
{{- end -}}

{{- define "serinus.redis.service" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "serinus.fullname" . }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "serinus.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "serinus.selectorLabels" . | nindent 4 }}
  ports:
    - { name: redis, port: 6379, targetPort: redis }
{{- end -}}

{{- define "serinus.redis.statefulSet" -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "serinus.fullname" . }}
  namespace: {{ .context.Release.Namespace }}
  labels:
    {{- include "serinus.labels" . | nindent 4 }}
spec:
  serviceName: {{ include "serinus.fullname" . }}
  replicas: 1
  selector:
    matchLabels:
      {{- include "serinus.selectorLabels" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "serinus.podLabels" . | nindent 8 }}
      annotations:
        # New users or settings need a new process.
        checksum/acl: {{ sha256sum .acl }}
        checksum/config: {{ include "serinus.redis.config" . | sha256sum }}
    spec:
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "serinus.podSecurityContext" (dict "uid" 999) | nindent 8 }}
      containers:
        - name: redis
          image: {{ include "serinus.image" (dict "context" .context "image" .values.image) }}
          imagePullPolicy: {{ .context.Values.global.image.pullPolicy }}
          command: [redis-server, /etc/redis-config/redis.conf]
          ports:
            - { name: redis, containerPort: 6379 }
          # Loading a long append-only file is no reason to start again.
          startupProbe:
            {{- include "serinus.redis.ping" . | nindent 12 }}
            periodSeconds: 2
            failureThreshold: 150
          readinessProbe:
            {{- include "serinus.redis.ping" . | nindent 12 }}
            periodSeconds: 5
          livenessProbe:
            tcpSocket: { port: redis }
            periodSeconds: 10
          resources:
            {{- toYaml .values.resources | nindent 12 }}
          securityContext:
            {{- include "serinus.containerSecurityContext" . | nindent 12 }}
          volumeMounts:
            - { name: data, mountPath: /data }
            - { name: config, mountPath: /etc/redis-config, readOnly: true }
            - { name: acl, mountPath: /etc/redis-acl, readOnly: true }
      volumes:
        - name: config
          configMap:
            name: {{ include "serinus.fullname" . }}
        - name: acl
          secret:
            secretName: {{ include "serinus.fullname" . }}-acl
            defaultMode: 0440
  volumeClaimTemplates:
    - apiVersion: v1
      kind: PersistentVolumeClaim
      metadata:
        name: data
        labels:
          {{- include "serinus.selectorLabels" . | nindent 10 }}
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .values.storage.className }}
        storageClassName: {{ . }}
        {{- end }}
        resources:
          requests:
            storage: {{ .values.storage.size }}
{{- end -}}

{{- define "serinus.redis.ping" -}}
exec:
  # redis-cli ends with 0 on an error answer too, so the answer itself is compared.
  command: [sh, -c, 'test "$(redis-cli --no-auth-warning --user probe --pass none ping)" = PONG']
timeoutSeconds: 3
{{- end -}}
