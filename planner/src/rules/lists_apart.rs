//! `ListsApart`: keeps DataFusion from merging several `IN` lists on one expression. Its simplification makes `x NOT IN (1) OR x NOT
//! IN (2)` true and `x IN (1) AND x IN (2)` false where `x` is null, drops the null of `x IN (1, 2) AND x NOT IN (3, NULL)`, and takes
//! lists of columns for different because their names are.

use std::hash::{DefaultHasher, Hash, Hasher};

use datafusion::{
    common::{
        DFSchema,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    error::Result,
    logical_expr::{
        BinaryExpr, Cast, Expr, Operator,
        expr::{Alias, InList},
    },
};

use super::{
    mend::Mend,
    set_apart::{is_apart, set_apart},
};

/// Gives the operand of each list a label of its own, where lists on one operand meet. Runs once types are known.
#[derive(Debug)]
pub(super) struct ListsApart;

impl Mend for ListsApart {
    fn concerns(&self, part: &Expr) -> bool {
        match part {
            Expr::InList(_) => true,
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                [left, right].iter().any(|side| equal_operand(side).is_some())
            }
            _ => false,
        }
    }

    fn mend(&self, expression: Expr, _: &DFSchema) -> Result<Transformed<Expr>> {
        let meeting: Vec<Expr> = meeting(&expression)?.into_iter().cloned().collect();
        if meeting.is_empty() {
            return Ok(Transformed::no(expression));
        }
        expression.transform_up(|part| {
            Ok(match part {
                Expr::InList(list) if meeting.contains(&list.expr) => {
                    Transformed::yes(Expr::InList(list_apart(list)))
                }
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right })
                    if meeting.contains(&left) && is_constant(&right) =>
                {
                    let left = Box::new(set_apart(*left, "="));
                    Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, Operator::Eq, right)))
                }
                Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right })
                    if meeting.contains(&right) && is_constant(&left) =>
                {
                    let right = Box::new(set_apart(*right, "="));
                    Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(left, Operator::Eq, right)))
                }
                other => Transformed::no(other),
            })
        })
    }
}

/// Labelled by its members: filters that come together later stay apart as well.
fn list_apart(list: InList) -> InList {
    let mut hasher = DefaultHasher::new();
    list.hash(&mut hasher);
    let expr = Box::new(set_apart(*list.expr, &hasher.finish().to_string()));
    InList { expr, ..list }
}

/// One `IN`, or one `=` with a constant, which an OR makes an `IN`.
struct Test<'a> {
    operand: &'a Expr,
    /// Tests in the same chain of ORs become one list, which is right.
    chain: usize,
    is_list: bool,
    negated: bool,
    /// Has members that are null or no constants: whatever list it met, it would be merged wrongly.
    is_open: bool,
}

/// Operands of which more than one list could be merged.
fn meeting(expression: &Expr) -> Result<Vec<&Expr>> {
    let mut tests = Tests { found: Vec::new(), chains: 0 };
    tests.visit(expression, 0)?;
    let found = tests.found;
    let mut meeting: Vec<&Expr> = Vec::new();
    for (index, test) in found.iter().enumerate() {
        if meeting.contains(&test.operand) {
            continue;
        }
        let others = || found[..index].iter().filter(|other| other.operand == test.operand);
        // Tests that become one list count as one.
        let becomes_list = |one: &Test<'_>| {
            one.is_list
                || found
                    .iter()
                    .filter(|other| other.operand == one.operand && other.chain == one.chain)
                    .count()
                    > 1
        };
        let apart = |other: &Test<'_>| other.chain != test.chain || other.negated || test.negated;
        if test.is_open || becomes_list(test) && others().any(|other| becomes_list(other) && apart(other)) {
            meeting.push(test.operand);
        }
    }
    Ok(meeting)
}

struct Tests<'a> {
    found: Vec<Test<'a>>,
    chains: usize,
}

impl<'a> Tests<'a> {
    fn visit(&mut self, expression: &'a Expr, chain: usize) -> Result<()> {
        match expression {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                self.visit(left, chain)?;
                self.visit(right, chain)
            }
            Expr::InList(InList { expr, list, negated }) => {
                if !is_apart(expr) {
                    let is_open = !list.iter().all(|item| is_constant(item) && !is_null(item));
                    self.found.push(Test { operand: expr, chain, is_list: true, negated: *negated, is_open });
                }
                Ok(())
            }
            other => {
                if let Some(operand) = equal_operand(other) {
                    self.found.push(Test { operand, chain, is_list: false, negated: false, is_open: false });
                    return Ok(());
                }
                other.apply_children(|child| {
                    self.chains += 1;
                    self.visit(child, self.chains)?;
                    Ok(TreeNodeRecursion::Continue)
                })?;
                Ok(())
            }
        }
    }
}

/// The column of `column = constant`.
fn equal_operand(test: &Expr) -> Option<&Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = test else { return None };
    match (left.as_ref(), right.as_ref()) {
        (Expr::Column(_), constant) if is_constant(constant) => Some(left.as_ref()),
        (constant, Expr::Column(_)) if is_constant(constant) => Some(right.as_ref()),
        _ => None,
    }
}

/// What simplification makes a literal, as far as that can be seen at once.
fn is_constant(expression: &Expr) -> bool {
    match expression {
        Expr::Literal(..) => true,
        Expr::Cast(Cast { expr, .. }) | Expr::Negative(expr) | Expr::Alias(Alias { expr, .. }) => {
            is_constant(expr)
        }
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => is_constant(left) && is_constant(right),
        _ => false,
    }
}

fn is_null(constant: &Expr) -> bool {
    match constant {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(Cast { expr, .. }) | Expr::Negative(expr) | Expr::Alias(Alias { expr, .. }) => {
            is_null(expr)
        }
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => is_null(left) || is_null(right),
        _ => false,
    }
}
