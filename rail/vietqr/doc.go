// Package vietqr reads, writes and draws VietQR codes, the QR codes by which
// banking apps in Vietnam make transfers, and knows the banks behind them. It
// talks to nobody: a code confirms nothing, money news comes from the bank.
//
// Encode is strict and Decode tolerant. Texts reach Encode in ASCII, see
// Unaccent. EncodeLines and DecodeLines serve the command line. SVG and PNG
// draw any payload.
//
// # Sources
//
//  1. NAPAS, VietQR format, version 1.0, September 2021: objects, limits,
//     checksum, examples.
//  2. NAPAS, QR switching, version 1.5.2: QRPUSH and QRCASH, read and never written.
//  3. Paykit PGW documentation: a sample payload.
//  4. AppotaPay POS documentation: a sample payload with 62.01, 62.07 and 62.08.
//  5. Bank table: vietqr.io's list, the State Bank's letter 1589/NHNN-TT of
//     5 March 2024 (BINs), the npm package vietnam-qr-pay (what apps support).
//
// # Quirks
//
//  1. The CRC has four digits, also when the first is 0; a known library drops
//     the zero and is wrong for one payload in sixteen. MB Bank prints one in
//     lower case: read, with a warning.
//  2. Limits count characters while the CRC is over bytes. Payloads in the
//     wild have Vietnamese marks, and some count bytes: Decode tries
//     characters first. Encode writes ASCII only, where the two agree.
//  3. Source 3 has a memo "Thanh toan cho " + account of 33 characters, over
//     the limit of 25. Decode warns, Encode refuses, Rebuild writes it.
//  4. Example 6.1.1 of source 1 has a right CRC over a wrong length: Decode
//     refuses it at 38.01.
//  5. One code can hold several schemes (ZaloPay: 26 beside 38). Objects that
//     Payload does not name are kept and written back.
//  6. "50000." is a valid amount in source 1; the đồng has no fraction, so
//     Decode takes a dot followed by zeros at most.
//  7. Objects may come in any order between 00 and 63; everybody writes them
//     ascending, so Encode does too.
//  8. QRIBFTTC puts a whole card number into the code. Decode warns,
//     Payload.LogValue masks it, Encode refuses.
//  9. Names and codes of banks differ from list to list and change; the BIN
//     is the key.
package vietqr
