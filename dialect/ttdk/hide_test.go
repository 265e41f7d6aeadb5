package ttdk_test

import "regexp"

var (
	imageKey = regexp.MustCompile(`/PaymentQR/([0-9]+)/[A-Za-z0-9_-]{22}/qr\.png`)
	nonce    = regexp.MustCompile(`nonce: [0-9a-f]{16}\n`)
	hmacText = regexp.MustCompile(`signature: [0-9a-f]{64}\n`)
	hash     = regexp.MustCompile(`"scheduleHash": "[0-9a-f]{32}"`)
	png      = regexp.MustCompile(`(?s)(Content-Type: image/png\n\n).*`)
)

// hide replaces what is random.
func hide(text string) string {
	text = imageKey.ReplaceAllString(text, "/PaymentQR/$1/{page-key}/qr.png")
	text = nonce.ReplaceAllString(text, "nonce: {nonce}\n")
	text = hmacText.ReplaceAllString(text, "signature: {signature}\n")
	text = hash.ReplaceAllString(text, `"scheduleHash": "{hash}"`)
	return png.ReplaceAllString(text, "${1}{png}\n")
}
