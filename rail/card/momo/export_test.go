package momo

import (
	"maps"
	"slices"

	"github.com/thungan/thungan/rail/card"
)

// Codes are the codes in the table.
func Codes() []int64 { return slices.Sorted(maps.Keys(codes)) }

// Mean looks a code up.
func Mean(code int64) (card.Outcome, string) {
	m := mean(code, "")
	return m.outcome, m.text
}
