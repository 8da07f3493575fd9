//! `Facts`: a conjunction over the table's columns, taken apart into what rollups and sorted rows can answer, and the rest.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::{
    common::ScalarValue,
    logical_expr::Operator,
    physical_expr::{
        PhysicalExpr,
        expressions::{BinaryExpr, Column, Literal},
        split_conjunction,
    },
};
use hexflight_engine::column;

use super::one_of::one_of;
use crate::geo::{self, Areas};

/// A window of time. **Units**: µs since 1970; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Window {
    /// All of time.
    pub(crate) const ALWAYS: Self = Self { from: i64::MIN, to: i64::MAX };
    /// No moment.
    const NEVER: Self = Self { from: i64::MAX, to: i64::MIN };

    /// Whether every moment of `time`, both ends included, belongs to it.
    pub(crate) fn holds(&self, time: (i64, i64)) -> bool {
        self.from <= time.0 && time.1 <= self.to
    }

    /// Whether no moment of `time` belongs to it.
    pub(crate) fn misses(&self, time: (i64, i64)) -> bool {
        time.1 < self.from || self.to < time.0
    }

    /// What `timestamp op bound` leaves of it.
    fn narrowed(self, op: Operator, bound: i64) -> Option<Self> {
        let below = bound.checked_sub(1).map(|to| Self { to: self.to.min(to), ..self });
        let above = bound.checked_add(1).map(|from| Self { from: self.from.max(from), ..self });
        Some(match op {
            Operator::Lt => below.unwrap_or(Self::NEVER),
            Operator::LtEq => Self { to: self.to.min(bound), ..self },
            Operator::Gt => above.unwrap_or(Self::NEVER),
            Operator::GtEq => Self { from: self.from.max(bound), ..self },
            Operator::Eq => Self { from: self.from.max(bound), to: self.to.min(bound) },
            _ => return None,
        })
    }
}

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Rows outside of it do not match.
    pub(crate) window: Window,
    /// Rows of other types do not match; `None`: any may.
    pub(crate) types: Option<BTreeSet<String>>,
    /// Rows of other devices do not match; `None`: any may.
    pub(crate) devices: Option<BTreeSet<String>>,
    /// Rows outside of them, or without a location, do not match.
    pub(crate) areas: Areas,
    /// Whether the above is all that the predicate says.
    pub(crate) is_all: bool,
}

impl Facts {
    /// Takes a predicate over all columns of the table apart.
    pub(crate) fn of(predicate: Option<&Arc<dyn PhysicalExpr>>) -> Self {
        let conjuncts: Vec<_> = predicate
            .map(|predicate| split_conjunction(predicate).into_iter().map(Arc::clone).collect())
            .unwrap_or_default();
        let places = geo::areas(&conjuncts);
        let mut facts =
            Self { window: Window::ALWAYS, types: None, devices: None, areas: places.areas, is_all: true };
        for (index, conjunct) in conjuncts.iter().enumerate() {
            if !places.used.contains(&index) && !facts.take(conjunct) {
                facts.is_all = false;
            }
        }
        facts
    }

    /// Whether a conjunct is said completely by the facts, which it narrows.
    fn take(&mut self, conjunct: &Arc<dyn PhysicalExpr>) -> bool {
        if let Some((op, bound)) = timestamp_comparison(conjunct)
            && let Some(window) = self.window.narrowed(op, bound)
        {
            self.window = window;
            return true;
        }
        let Some((name, values)) = one_of(conjunct) else { return false };
        let held = match name.as_str() {
            column::TYPE => &mut self.types,
            column::DEVICE_ID => &mut self.devices,
            _ => return false,
        };
        *held = Some(match held.take() {
            Some(before) => &before & &values,
            None => values,
        });
        true
    }
}

/// `timestamp op literal`, either way round.
fn timestamp_comparison(conjunct: &Arc<dyn PhysicalExpr>) -> Option<(Operator, i64)> {
    let binary = conjunct.downcast_ref::<BinaryExpr>()?;
    let (column, op, literal) =
        match (binary.left().downcast_ref::<Column>(), binary.right().downcast_ref::<Column>()) {
            (Some(column), _) => (column, *binary.op(), binary.right()),
            (_, Some(column)) => (column, binary.op().swap()?, binary.left()),
            _ => return None,
        };
    let micros = match literal.downcast_ref::<Literal>()?.value() {
        ScalarValue::TimestampMicrosecond(Some(micros), _) => *micros,
        _ => return None,
    };
    (column.name() == column::TIMESTAMP).then_some((op, micros))
}
