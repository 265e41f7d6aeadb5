//go:build ceiling

package store

// ceiling makes OpenPayments answer without a database: `go build -tags ceiling`
// is the same program with its commits compiled out, which the benchmark
// measures as the most that HTTP alone would allow (test/load).
const ceiling = true
