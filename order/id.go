package order

import (
	"strconv"
	"time"
)

// epoch is where the platform's ids begin to count (docs/protocol/tiki.md, T9).
var epoch = time.Date(2020, 8, 25, 0, 0, 0, 0, time.UTC)

// Number is a decimal id in the platform's form: steps of five milliseconds
// since 2020-08-25, then 24 bits that tell apart what happens in one step.
func Number(at time.Time, low uint32) string {
	steps := max(at.Sub(epoch).Milliseconds()/5, 0)
	return strconv.FormatInt(steps<<24|int64(low&0xffffff), 10)
}
