package store

import (
	"context"
	"time"

	"github.com/thungan/thungan/money"
	"github.com/thungan/thungan/payment"
	"github.com/thungan/thungan/store/internal/db"
)

var missingItem = payment.Error{Code: payment.CodeNotFound, Text: "no such notification"}

func merchantRow(r db.Merchant) payment.Merchant {
	return payment.Merchant{
		ID: r.ID, Kind: payment.MerchantKind(r.Kind), Name: r.Name, State: payment.MerchantState(r.State),
		MinAmount: money.VND(r.MinAmount), MaxAmount: money.VND(r.MaxAmount), DailyLimit: money.VND(r.DailyLimit),
		CreatedAt: moment(r.CreatedAt), UpdatedAt: moment(r.UpdatedAt), Version: r.Version,
	}
}

// AddMerchant inserts a merchant.
func (tx *Tx) AddMerchant(ctx context.Context, m payment.Merchant) error {
	return tx.q.InsertMerchant(ctx, db.InsertMerchantParams{
		ID: m.ID, Kind: string(m.Kind), Name: m.Name, State: string(m.State), MinAmount: int64(m.MinAmount), MaxAmount: int64(m.MaxAmount),
		DailyLimit: int64(m.DailyLimit), CreatedAt: millis(m.CreatedAt), UpdatedAt: millis(m.UpdatedAt), Version: m.Version,
	})
}

// Merchant loads one merchant.
func (tx *Tx) Merchant(ctx context.Context, id string) (payment.Merchant, error) {
	row, err := tx.q.Merchant(ctx, id)
	if err != nil {
		return payment.Merchant{}, missing(err, payment.CodeNotFound, "no such merchant")
	}
	return merchantRow(row), nil
}

// LockMerchant loads a merchant and keeps others from changing it.
func (tx *Tx) LockMerchant(ctx context.Context, id string) (payment.Merchant, error) {
	row, err := tx.q.MerchantForUpdate(ctx, id)
	if err != nil {
		return payment.Merchant{}, missing(err, payment.CodeNotFound, "no such merchant")
	}
	return merchantRow(row), nil
}

// SaveMerchant writes a changed merchant.
func (tx *Tx) SaveMerchant(ctx context.Context, m payment.Merchant) error {
	return tx.q.UpdateMerchant(ctx, db.UpdateMerchantParams{
		ID: m.ID, Name: m.Name, State: string(m.State), MinAmount: int64(m.MinAmount), MaxAmount: int64(m.MaxAmount),
		DailyLimit: int64(m.DailyLimit), UpdatedAt: millis(m.UpdatedAt), Version: m.Version,
	})
}

// Merchants lists merchants by id, from after on.
func (tx *Tx) Merchants(ctx context.Context, after string, limit int) ([]payment.Merchant, error) {
	rows, err := tx.q.Merchants(ctx, db.MerchantsParams{After: after, Page: int32(limit)})
	if err != nil {
		return nil, err
	}
	merchants := make([]payment.Merchant, len(rows))
	for i, row := range rows {
		merchants[i] = merchantRow(row)
	}
	return merchants, nil
}

func profileRow(r db.Profile) payment.Profile {
	return payment.Profile{
		MerchantID: r.MerchantID, Dialect: r.Dialect, PublicID: r.PublicID, NotifyURL: r.NotifyUrl, SuccessURL: r.SuccessUrl, CancelURL: r.CancelUrl,
		NotifySecret: r.NotifySecret,
	}
}

// AddProfile inserts a profile; CodeConflict when the merchant has one in the
// dialect, or the public id is taken.
func (tx *Tx) AddProfile(ctx context.Context, f payment.Profile) error {
	return tx.q.InsertProfile(ctx, db.InsertProfileParams{
		MerchantID: f.MerchantID, Dialect: f.Dialect, PublicID: f.PublicID, NotifyUrl: f.NotifyURL, SuccessUrl: f.SuccessURL, CancelUrl: f.CancelURL,
		NotifySecret: f.NotifySecret,
	})
}

// SaveProfile writes a changed profile.
func (tx *Tx) SaveProfile(ctx context.Context, f payment.Profile) error {
	_, err := tx.q.UpdateProfile(ctx, db.UpdateProfileParams{
		MerchantID: f.MerchantID, Dialect: f.Dialect, NotifyUrl: f.NotifyURL, SuccessUrl: f.SuccessURL, CancelUrl: f.CancelURL, NotifySecret: f.NotifySecret,
	})
	return err
}

// Profile loads how a merchant is known in a dialect.
func (tx *Tx) Profile(ctx context.Context, merchantID, dialect string) (payment.Profile, error) {
	row, err := tx.q.Profile(ctx, db.ProfileParams{MerchantID: merchantID, Dialect: dialect})
	if err != nil {
		return payment.Profile{}, missing(err, payment.CodeNotFound, "the merchant has no profile in this protocol")
	}
	return profileRow(row), nil
}

// ProfileByPublicID loads a profile by the dialect's name for the merchant.
func (tx *Tx) ProfileByPublicID(ctx context.Context, dialect, publicID string) (payment.Profile, error) {
	row, err := tx.q.ProfileByPublicID(ctx, db.ProfileByPublicIDParams{PublicID: publicID, Dialect: dialect})
	if err != nil {
		return payment.Profile{}, missing(err, payment.CodeNotFound, "no such merchant")
	}
	return profileRow(row), nil
}

func profileRows(rows []db.Profile, err error) ([]payment.Profile, error) {
	if err != nil {
		return nil, err
	}
	profiles := make([]payment.Profile, len(rows))
	for i, row := range rows {
		profiles[i] = profileRow(row)
	}
	return profiles, nil
}

// ProfilesByPublicID lists the profiles of one public id, by dialect.
func (tx *Tx) ProfilesByPublicID(ctx context.Context, publicID string) ([]payment.Profile, error) {
	return profileRows(tx.q.ProfilesByPublicID(ctx, publicID))
}

// Profiles lists a merchant's profiles by dialect.
func (tx *Tx) Profiles(ctx context.Context, merchantID string) ([]payment.Profile, error) {
	return profileRows(tx.q.Profiles(ctx, merchantID))
}

func keyRow(r db.ApiKey) payment.Key {
	return payment.Key{
		ID: r.ID, MerchantID: r.MerchantID, Dialect: r.Dialect, KeyHash: r.KeyHash, SecretHash: r.SecretHash, Hint: r.Hint,
		CreatedAt: moment(r.CreatedAt), RevokedAt: moment(r.RevokedAt), Secret: r.Secret,
	}
}

// AddKey inserts a key pair.
func (tx *Tx) AddKey(ctx context.Context, k payment.Key) error {
	return tx.q.InsertKey(ctx, db.InsertKeyParams{
		ID: k.ID, MerchantID: k.MerchantID, Dialect: k.Dialect, KeyHash: k.KeyHash, SecretHash: k.SecretHash, Hint: k.Hint,
		CreatedAt: millis(k.CreatedAt), RevokedAt: millis(k.RevokedAt), Secret: k.Secret,
	})
}

// NewestKey loads the youngest key pair of a merchant in a dialect that is good
// at a time.
func (tx *Tx) NewestKey(ctx context.Context, merchantID, dialect string, at time.Time) (payment.Key, error) {
	row, err := tx.q.NewestKey(ctx, db.NewestKeyParams{MerchantID: merchantID, Dialect: dialect, Now: millis(at)})
	if err != nil {
		return payment.Key{}, missing(err, payment.CodeNotFound, "the merchant has no key in this protocol")
	}
	return keyRow(row), nil
}

// KeyByHash finds a key pair by the hash of its key.
func (tx *Tx) KeyByHash(ctx context.Context, dialect, hash string) (payment.Key, error) {
	row, err := tx.q.KeyByHash(ctx, db.KeyByHashParams{KeyHash: hash, Dialect: dialect})
	if err != nil {
		return payment.Key{}, missing(err, payment.CodeUnauthorized, "")
	}
	return keyRow(row), nil
}

// Keys lists a merchant's key pairs, oldest first.
func (tx *Tx) Keys(ctx context.Context, merchantID string) ([]payment.Key, error) {
	rows, err := tx.q.Keys(ctx, merchantID)
	if err != nil {
		return nil, err
	}
	keys := make([]payment.Key, len(rows))
	for i, row := range rows {
		keys[i] = keyRow(row)
	}
	return keys, nil
}

// RevokeKeys ends a merchant's key pairs of a dialect, all but one, at a time.
func (tx *Tx) RevokeKeys(ctx context.Context, merchantID, dialect, but string, at time.Time) error {
	_, err := tx.q.RevokeKeys(ctx, db.RevokeKeysParams{RevokedAt: millis(at), MerchantID: merchantID, Dialect: dialect, But: but})
	return err
}

func accountRow(r db.ReceivingAccount) payment.ReceivingAccount {
	return payment.ReceivingAccount{
		ID: r.ID, MerchantID: r.MerchantID, BIN: r.Bin, Number: r.Number, Holder: r.Holder, Recognise: payment.Recognition(r.Recognise),
		Prefix: r.Prefix, Enabled: r.Enabled, CreatedAt: moment(r.CreatedAt),
	}
}

func accountRows(rows []db.ReceivingAccount, err error) ([]payment.ReceivingAccount, error) {
	if err != nil {
		return nil, err
	}
	accounts := make([]payment.ReceivingAccount, len(rows))
	for i, row := range rows {
		accounts[i] = accountRow(row)
	}
	return accounts, nil
}

// AddReceivingAccount inserts a bank account.
func (tx *Tx) AddReceivingAccount(ctx context.Context, a payment.ReceivingAccount) error {
	return tx.q.InsertReceivingAccount(ctx, db.InsertReceivingAccountParams{
		ID: a.ID, MerchantID: a.MerchantID, Bin: a.BIN, Number: a.Number, Holder: a.Holder, Recognise: string(a.Recognise), Prefix: a.Prefix,
		Enabled: a.Enabled, CreatedAt: millis(a.CreatedAt),
	})
}

// ReceivingAccount loads one bank account.
func (tx *Tx) ReceivingAccount(ctx context.Context, id string) (payment.ReceivingAccount, error) {
	row, err := tx.q.ReceivingAccount(ctx, id)
	if err != nil {
		return payment.ReceivingAccount{}, missing(err, payment.CodeNotFound, "no such receiving account")
	}
	return accountRow(row), nil
}

// ReceivingAccounts lists a merchant's bank accounts, oldest first.
func (tx *Tx) ReceivingAccounts(ctx context.Context, merchantID string) ([]payment.ReceivingAccount, error) {
	return accountRows(tx.q.ReceivingAccounts(ctx, merchantID))
}

// ReceivingAccountsByNumber lists the bank accounts of one number.
func (tx *Tx) ReceivingAccountsByNumber(ctx context.Context, number string) ([]payment.ReceivingAccount, error) {
	return accountRows(tx.q.ReceivingAccountsByNumber(ctx, number))
}

// VirtualAccountOwners lists the bank accounts that have virtual ones.
func (tx *Tx) VirtualAccountOwners(ctx context.Context) ([]payment.ReceivingAccount, error) {
	return accountRows(tx.q.VirtualAccountOwners(ctx))
}

// EnableReceivingAccount says whether new payments may use a bank account.
func (tx *Tx) EnableReceivingAccount(ctx context.Context, id string, on bool) error {
	_, err := tx.q.EnableReceivingAccount(ctx, db.EnableReceivingAccountParams{ID: id, Enabled: on})
	return err
}
