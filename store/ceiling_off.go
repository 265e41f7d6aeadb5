//go:build !ceiling

package store

// ceiling is false in every program that takes payments; see ceiling_on.go.
const ceiling = false
