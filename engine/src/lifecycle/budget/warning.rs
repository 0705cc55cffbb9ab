//! What is told when a budget runs low: a line in the log and the document that a hook gets, once a level and period.

use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::spender::Spender;
use crate::{
    accounting::{BudgetSpent, Period, Usd},
    hooks::HookCall,
    lifecycle::history::{History, WarningKey},
};

/// The level of a budget that ends queries.
const USED_UP: u8 = 0;

/// That a budget has reached a level, or ends queries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Warning {
    pub(super) key: WarningKey,
    pub(super) spent: Usd,
    pub(super) is_hard: bool,
    /// What is called, by its name in the configuration.
    pub(super) hook: Option<String>,
}

impl Warning {
    /// That of a level, in per cent.
    pub(super) fn at(spender: &Spender, period: Period, budget: Usd, level: u8, spent: Usd) -> Self {
        let (workgroup, begins) = (spender.limits.workgroup.to_string(), period.begin(spender.day));
        Self {
            key: WarningKey { workgroup, period, begins, budget, level },
            spent,
            is_hard: spender.limits.budget.is_hard,
            hook: spender.limits.budget.hook.clone(),
        }
    }

    /// That of a budget that has no room for a query.
    pub(super) fn used_up(spender: &Spender, spent: &BudgetSpent) -> Self {
        Self::at(spender, spent.period, spent.budget, USED_UP, spent.spent)
    }

    /// What a hook gets.
    pub(super) fn document(&self, at: DateTime<Utc>) -> Value {
        let WarningKey { workgroup, period, begins, budget, level } = &self.key;
        let is_used_up = *level == USED_UP;
        json!({
            "event": if is_used_up { "budget_used_up" } else { "budget_warning" },
            "workgroup": workgroup,
            "period": period.as_str(),
            "begins": begins.to_string(),
            "level_percent": (!is_used_up).then_some(level),
            "budget_usd": budget.to_string(),
            "spent_usd": self.spent.to_string(),
            "hard_stop": self.is_hard,
            "at": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        })
    }
}

/// Writes the line and calls the hook, unless that was done before, by this process or another. A hook that does not exist is `None` beside its name.
pub(super) async fn announce(
    history: Arc<History>,
    at: DateTime<Utc>,
    warning: Warning,
    hook: Option<(String, Option<HookCall>)>,
) {
    match history.note_warning(warning.key.clone(), at).await {
        Ok(true) => {}
        Ok(false) => return,
        // Better twice than never.
        Err(error) => tracing::warn!(%error, "the warning of a budget could not be recorded"),
    }
    let WarningKey { workgroup, period, begins, budget, level } = &warning.key;
    let spent = warning.spent;
    match *level {
        USED_UP => tracing::warn!(%workgroup, %period, %begins, %budget, %spent, "a budget is used up: its queries end"),
        level => tracing::warn!(%workgroup, %period, %begins, level, %budget, %spent, "a budget runs low"),
    }
    match hook {
        None => {}
        Some((name, None)) => tracing::warn!(%workgroup, hook = name, "the configuration has no such hook"),
        Some((_, Some(hook))) => {
            if let Err(error) = hook.call(&warning.document(at)).await {
                tracing::warn!(%workgroup, ?error, "a hook failed");
            }
        }
    }
}
