// Package api holds the OpenAPI documents of the gateway's HTTP surfaces.
package api

import _ "embed"

// Admin describes the admin API (package admin): OpenAPI 3.0 in YAML.
//
//go:embed admin.yaml
var Admin []byte
