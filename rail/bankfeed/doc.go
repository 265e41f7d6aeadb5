// Package bankfeed takes in what watchers of bank accounts tell: SePay, Casso,
// payOS, and anybody who speaks our own signed webhook. Where a provider can
// also be asked, it is, so that an outage of ours loses no transfer.
//
// One file is one provider; intake.go serves the webhooks, recover.go finishes
// what was interrupted, pull.go asks. docs/bank-feeds.md is for operators.
// Facts are from the providers' documentation of 2026-11, named in each file.
//
// # Decisions
//
//	B1  A feed's secret says how its sender proves itself. A plain text is the
//	    key of the provider's usual way; JSON names another. SePay's mode
//	    "none" is never accepted.
//	B2  A message is verified over the bytes that came, then kept as it came in
//	    a transaction of its own, and only then read. What is not authentic,
//	    too long (256 KiB), not UTF-8 or has a NUL leaves nothing behind.
//	B3  A wrong proof is 401 in the provider's form, without the reason, which
//	    is in the log. An address that sends 20 of them to one feed at once, or
//	    30 a minute, gets 429.
//	B4  An authentic message that cannot be read is kept for people. Providers
//	    get 200, because they would send the same bytes again for half an hour;
//	    a generic sender gets 422 with the reason. Rows that can be read are
//	    taken in though others in the message cannot.
//	B5  When a kept message cannot be taken in now, the answer is 503 and the
//	    sender tries again; Recover does the same once a minute. Both may do
//	    it: the external id lets each credit in once.
//	B6  The registration call of payOS and the test messages of Casso are the
//	    documented samples, signed with the real key. They are known by their
//	    bank reference (and, payOS, account) and are no credits, else a ledger
//	    would begin with money that never was.
//	B7  External ids: SePay's id or the Bank Hub's transaction_id; Casso's id,
//	    or the bank's reference (tid) where there is none; payOS's reference;
//	    the generic id. Nothing is made up: a row without an id is refused.
//	B8  SePay's list is pulled by its first API, although a second exists: only
//	    the first has the ids of the webhooks. With version 2 each transfer
//	    comes under two ids, and the guard of account, bank reference and
//	    amount tells that they are one; a row without a reference is refused.
//	B9  A pull goes back an hour behind what was seen, and a day at the start
//	    and once an hour, because banks and providers may be late. The first
//	    one goes back seven days, but not behind the feed's creation. "Seen
//	    until" is when the first page of the last whole pull was asked for.
//	B10 payOS has no list of transactions, only an answer about one order code.
//	    The gateway makes no payOS orders and so has no codes to ask for: payOS
//	    is not pulled.
//	B11 A time without a zone is +07:00; a date alone is its midnight. Our own
//	    format demands a zone.
//	B12 An amount is read exactly, "50000.00" too; a fraction, zero and what is
//	    beyond 999,999,999,999,999 are refused. Casso's negative amounts are
//	    money out.
//	B13 A signature with a time is good for five minutes either way. SePay's API
//	    key, Casso v1 and payOS have no time: a replay of theirs is known by
//	    its external id and changes nothing.
//	B14 A payOS message whose code is not "00" tells of no money.
package bankfeed
