//! `PlainPatterns`: `LIKE … ESCAPE '!'` and `SIMILAR TO`. DataFusion knows no escape but the backslash, and takes the pattern of SIMILAR TO,
//! in which `%` and `_` stand for anything, for a regular expression. Here the first is written with backslashes and the second
//! as a regular expression.

use datafusion::{
    common::{
        ScalarValue, plan_err,
        tree_node::{Transformed, TreeNode, TreeNodeRecursion},
    },
    config::ConfigOptions,
    error::Result,
    logical_expr::{BinaryExpr, Expr, Like, LogicalPlan, Operator, lit},
    optimizer::{AnalyzerRule, utils::NamePreserver},
};

/// See the module.
#[derive(Debug)]
pub(super) struct PlainPatterns;

impl AnalyzerRule for PlainPatterns {
    fn name(&self) -> &'static str {
        "plain_patterns"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let mut found = false;
        plan.apply_with_subqueries(|node| {
            node.apply_expressions(|expression| {
                found |= expression.exists(|part| Ok(is_foreign(part)))?;
                Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })?;
        if !found {
            return Ok(plan);
        }
        plan.transform_up_with_subqueries(|node| {
            let names = NamePreserver::new(&node);
            node.map_expressions(|expression| {
                let name = names.save(&expression);
                Ok(expression.transform_up(plain)?.update_data(|expression| name.restore(expression)))
            })
        })
        .map(|plan| plan.data)
    }
}

fn is_foreign(part: &Expr) -> bool {
    match part {
        Expr::Like(like) => like.escape_char.is_some_and(|escape| escape != BACKSLASH),
        Expr::SimilarTo(_) => true,
        _ => false,
    }
}

const BACKSLASH: char = '\\';

fn plain(part: Expr) -> Result<Transformed<Expr>> {
    Ok(match part {
        Expr::Like(like) if like.escape_char.is_some_and(|escape| escape != BACKSLASH) => {
            let escape = like.escape_char.unwrap_or(BACKSLASH);
            match pattern_of(&like, "LIKE … ESCAPE")? {
                Some(pattern) => {
                    let pattern = Box::new(lit(with_backslashes(pattern, escape)));
                    Transformed::yes(Expr::Like(Like { pattern, escape_char: None, ..like }))
                }
                None => Transformed::no(Expr::Like(like)),
            }
        }
        Expr::SimilarTo(similar) => match pattern_of(&similar, "SIMILAR TO")? {
            Some(pattern) => {
                let pattern = regular_expression(pattern, similar.escape_char.unwrap_or(BACKSLASH));
                let op = if similar.negated { Operator::RegexNotMatch } else { Operator::RegexMatch };
                Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(similar.expr, op, Box::new(lit(pattern)))))
            }
            None => Transformed::no(Expr::SimilarTo(similar)),
        },
        other => Transformed::no(other),
    })
}

/// The text of a pattern; none while it is a parameter without a value, or null.
fn pattern_of<'a>(like: &'a Like, what: &str) -> Result<Option<&'a str>> {
    match like.pattern.as_ref() {
        Expr::Literal(value, _) => match value {
            ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => {
                Ok(text.as_deref())
            }
            _ => Ok(None),
        },
        Expr::Placeholder(_) => Ok(None),
        other => plan_err!("{what}: the pattern must be a constant, {other} is none"),
    }
}

/// The same pattern with `\` as the escape.
fn with_backslashes(pattern: &str, escape: char) -> String {
    let (mut plain, mut letters) = (String::with_capacity(pattern.len()), pattern.chars());
    while let Some(letter) = letters.next() {
        let literal = if letter == escape { letters.next() } else { None };
        match literal {
            Some(literal @ ('%' | '_' | BACKSLASH)) => plain.extend([BACKSLASH, literal]),
            Some(literal) => plain.push(literal),
            None if letter == BACKSLASH => plain.extend([BACKSLASH, BACKSLASH]),
            None => plain.push(letter),
        }
    }
    plain
}

/// The regular expression of a pattern of SIMILAR TO, which speaks of the whole text.
fn regular_expression(pattern: &str, escape: char) -> String {
    let (mut regex, mut letters, mut in_class) = (String::from("(?s)^(?:"), pattern.chars(), false);
    while let Some(letter) = letters.next() {
        if letter == escape {
            letters.next().into_iter().for_each(|literal| push_literal(&mut regex, literal));
            continue;
        }
        match letter {
            ']' => in_class = false,
            '[' => in_class = true,
            _ => {}
        }
        match letter {
            '%' if !in_class => regex.push_str(".*"),
            '_' if !in_class => regex.push('.'),
            '.' | '$' | BACKSLASH => push_literal(&mut regex, letter),
            '^' if !in_class => push_literal(&mut regex, letter),
            _ => regex.push(letter),
        }
    }
    regex.push_str(")$");
    regex
}

/// What means something in a regular expression.
const SPECIAL: &str = r"\.+*?()|[]{}^$";

fn push_literal(regex: &mut String, letter: char) {
    if SPECIAL.contains(letter) {
        regex.push(BACKSLASH);
    }
    regex.push(letter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_backslashes() {
        for (pattern, plain) in
            [("a!%b%", r"a\%b%"), ("!_!!", r"\_!"), (r"a\b", r"a\\b"), (r"!\", r"\\"), ("abc", "abc")]
        {
            assert_eq!(with_backslashes(pattern, '!'), plain, "{pattern}");
        }
    }

    #[test]
    fn similar_to_is_a_regular_expression() {
        for (pattern, regex) in [
            ("a%", "(?s)^(?:a.*)$"),
            ("(a|b)_", "(?s)^(?:(a|b).)$"),
            ("1.5$", r"(?s)^(?:1\.5\$)$"),
            ("[%_^]+", "(?s)^(?:[%_^]+)$"),
            (r"\%\+", r"(?s)^(?:%\+)$"),
        ] {
            assert_eq!(regular_expression(pattern, BACKSLASH), regex, "{pattern}");
        }
    }
}
