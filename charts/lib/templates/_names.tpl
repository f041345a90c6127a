{{/*
Name of one part of a release, `<release>-<part>`. Takes (dict "context" $ "part" "mlflow").
A long release name is cut, so that pods of a StatefulSet still get a valid host name.
*/}}
{{- define "serinus.fullname" -}}
{{- printf "%s-%s" (.context.Release.Name | trunc (int (sub 51 (len .part))) | trimSuffix "-") .part -}}
{{- end -}}

{{/*
Address of one part's Service inside the cluster, without a port. Takes (dict "context" $ "part" "mlflow").
*/}}
{{- define "serinus.host" -}}
{{- printf "%s.%s.svc" (include "serinus.fullname" .) .context.Release.Namespace -}}
{{- end -}}
