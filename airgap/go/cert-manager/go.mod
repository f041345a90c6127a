// cert-manager's resource definitions, under the version of CERT_MANAGER in versions.env. Nothing is compiled from it:
// its controllers are nested modules that no proxy serves. `go mod tidy` would drop the requirement.
module serinus.dev/airgap/cert-manager

go 1.26.0

require github.com/cert-manager/cert-manager v1.21.2
