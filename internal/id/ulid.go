package id

import (
	"encoding/binary"
	"time"

	"github.com/thungan/thungan/internal/clock"
)

// ULIDLen is the length of a ULID in characters.
const ULIDLen = 26

// ULID writes the 128 bits of one of our ids as a ULID: 26 characters of
// Crockford's base32, upper case, of which the first ten are the millisecond
// (github.com/ulid/spec). Both forms sort alike. It returns ErrInvalid for a
// text that is no id.
func ULID(text string) (string, error) {
	u, err := decode(text)
	if err != nil {
		return "", err
	}
	var out [ULIDLen]byte
	high, low := binary.BigEndian.Uint64(u[:8]), binary.BigEndian.Uint64(u[8:])
	for i := ULIDLen - 1; i >= 0; i-- {
		out[i] = alphabet[low&31]
		low = low>>5 | high<<59
		high >>= 5
	}
	return string(out[:]), nil
}

// snowflakeEpoch is where the time of a snowflake begins.
var snowflakeEpoch = time.Date(2021, 6, 8, 0, 0, 0, 0, time.UTC)

// Snowflake makes a 63 bit number of an id: 41 bits of milliseconds since
// 2021-06-08 and 22 bits of what else tells the id from others. It is for wires
// that show such numbers; nothing is found by it. It returns ErrInvalid for a
// text that is no id.
func Snowflake(text string) (int64, error) {
	u, err := decode(text)
	if err != nil {
		return 0, err
	}
	millis := int64(binary.BigEndian.Uint64(u[:8])>>16) - clock.Millis(snowflakeEpoch)
	counter := int64(binary.BigEndian.Uint16(u[6:]) & 0xfff)
	node := int64(binary.BigEndian.Uint16(u[8:]) & 0x3ff)
	return max(millis, 0)<<22&(1<<63-1) | node<<12 | counter, nil
}
