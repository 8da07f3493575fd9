//! `OnBadRow`: the caller's choice for rows that break a rule.

/// What happens to a batch in which single rows break a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    /// Nothing of the batch is kept.
    Refuse,
    /// The other rows are kept.
    Skip,
}
