module dimmer.dev/lab/k9s

go 1.26.0

require github.com/derailed/k9s v0.50.16
