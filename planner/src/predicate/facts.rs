//! `Facts`: a conjunction over the table's columns, taken apart into what rollups and sorted rows can answer, and the rest.

use std::{collections::BTreeSet, sync::Arc};

use datafusion::physical_expr::{PhysicalExpr, split_conjunction};
use hexflight_engine::TableRole;

use super::{one_of::one_of, window::Window};
use crate::geo::{self, Areas};

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
        if let Some(window) = Window::of_conjunct(conjunct) {
            self.window = self.window.and(window);
            return true;
        }
        let Some((name, values)) = one_of(conjunct) else { return false };
        let held = match TableRole::of(&name) {
            Some(TableRole::Type) => &mut self.types,
            Some(TableRole::Device) => &mut self.devices,
            _ => return false,
        };
        *held = Some(match held.take() {
            Some(before) => &before & &values,
            None => values,
        });
        true
    }
}
