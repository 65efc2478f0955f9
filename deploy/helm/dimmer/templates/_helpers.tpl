{{/*
The image: by its digest where there is one, else by its tag.
*/}}
{{- define "dimmer.image" -}}
{{- if $.Values.image.digest -}}
{{- printf "%s@%s" $.Values.image.repository $.Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $.Values.image.repository (default $.Chart.AppVersion $.Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{/*
The labels that every object of the chart has: (list $ INSTANCE).
*/}}
{{- define "dimmer.labels" -}}
{{- $root := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
app.kubernetes.io/instance: {{ index . 1 }}
{{- end -}}
