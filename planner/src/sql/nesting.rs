//! How deep the syntax tree of a text can get, bounded from its tokens alone, before anything recursive sees it. A chain such as
//! `a + b + …` nests as deep as it is long; planning takes stack for each level and time that grows with the square.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan},
};

use super::{limits::is_space, placeholder::ends_operand};

/// Upper bounds of a text's nesting.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nesting {
    /// Brackets within brackets. The parser tries a function's arguments twice, the optimizer walks a subquery twice: the
    /// time doubles with each.
    pub(super) brackets: usize,
    /// Operators applied to the result of operators, along the deepest path; never less than there are.
    pub(super) operators: usize,
    /// JSON operators in one operand; typing their result takes twice as long with each.
    pub(super) json_operators: usize,
    /// BETWEEN, coalesce and the like within each other; the optimizer writes their operand twice.
    pub(super) rewrites: usize,
    /// `ARRAY<`, `STRUCT<` and the like: the parser recurses on types without counting.
    pub(super) type_brackets: usize,
}

/// What one bracket level has seen.
#[derive(Debug, Default, Clone, Copy)]
struct Level {
    /// AND and OR since the last comma or clause; their operands are the chains of `other`.
    logical: usize,
    /// Other operators since the last AND or OR, with those in brackets among their operands.
    other: usize,
    other_max: usize,
    /// The deepest item before the last comma or clause.
    item_max: usize,
    json: usize,
    json_max: usize,
    /// Whether something here is written twice, and how often the deepest bracket within is.
    is_rewritten: bool,
    rewrites_within: usize,
}

impl Level {
    fn depth(self) -> usize {
        self.item_max.max(self.logical + self.other_max)
    }

    fn rewrites(self) -> usize {
        self.rewrites_within + usize::from(self.is_rewritten)
    }

    fn apply(&mut self, operators: usize) {
        self.other += operators;
        self.other_max = self.other_max.max(self.other);
    }

    fn apply_json(&mut self) {
        self.apply(1);
        self.json += 1;
        self.json_max = self.json_max.max(self.json);
    }

    fn end_operand(&mut self) {
        self.logical += 1;
        self.other = 0;
        self.json = 0;
    }

    fn end_item(&mut self) {
        self.item_max = self.depth();
        (self.logical, self.other, self.other_max, self.json) = (0, 0, 0, 0);
    }
}

impl Nesting {
    /// Walks the tokens once.
    pub(super) fn of(tokens: &[TokenWithSpan]) -> Self {
        let mut nesting = Self::default();
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level::default();
        let mut before = &Token::SemiColon;
        for token in tokens.iter().map(|token| &token.token).filter(|token| !is_space(token)) {
            match Role::of(token, before) {
                Role::Open => {
                    // A subscript is an operator on what stands before it.
                    level.apply(usize::from(*token == Token::LBracket));
                    outer.push(level);
                    level = Level { is_rewritten: is_rewritten_function(before), ..Level::default() };
                }
                Role::Close => level = closed(level, outer.pop()),
                Role::Separator => level.end_item(),
                Role::Logical => level.end_operand(),
                Role::Json => level.apply_json(),
                Role::Operator => level.apply(1),
                Role::Operand => {}
            }
            level.is_rewritten |= is_keyword(token, Keyword::BETWEEN);
            nesting.brackets = nesting.brackets.max(outer.len());
            nesting.type_brackets += usize::from(*token == Token::Lt && is_nested_type(before));
            before = token;
        }
        let whole = outer.into_iter().rev().fold(level, |level, outer| closed(level, Some(outer)));
        nesting.operators = whole.depth();
        nesting.json_operators = whole.json_max;
        nesting.rewrites = whole.rewrites();
        nesting
    }
}

/// What is in brackets may be the deep side of every operator around them. A bracket that was never opened closes nothing.
fn closed(inner: Level, outer: Option<Level>) -> Level {
    let Some(mut level) = outer else { return inner };
    level.apply(inner.depth());
    // A whole operand in brackets goes on with the operators behind them.
    level.json = level.json.max(inner.json_max);
    level.json_max = level.json_max.max(level.json);
    level.rewrites_within = level.rewrites_within.max(inner.rewrites());
    level
}

/// What a token does to the depth of the tree.
enum Role {
    Open,
    Close,
    Separator,
    Logical,
    Json,
    Operator,
    Operand,
}

impl Role {
    fn of(token: &Token, before: &Token) -> Self {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => Self::Open,
            Token::RParen | Token::RBracket | Token::RBrace => Self::Close,
            Token::Comma | Token::SemiColon => Self::Separator,
            Token::Arrow | Token::LongArrow | Token::HashArrow | Token::HashLongArrow | Token::Question => {
                Self::Json
            }
            Token::Word(word) if word.quote_style.is_some() => Self::Operand,
            Token::Word(word) => Self::of_keyword(word.keyword, before),
            Token::Period | Token::EOF => Self::Operand,
            literal if ends_operand(literal) => Self::Operand,
            _ => Self::Operator,
        }
    }

    /// A clause begins only after a complete operand; anywhere else its keyword is a column's name.
    fn of_keyword(keyword: Keyword, before: &Token) -> Self {
        match keyword {
            Keyword::AND | Keyword::OR => Self::Logical,
            Keyword::WHEN | Keyword::THEN | Keyword::ELSE if ends_operand(before) => Self::Logical,
            Keyword::WHERE
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::ON
            | Keyword::LIMIT
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
                if ends_operand(before) =>
            {
                Self::Separator
            }
            Keyword::AT
            | Keyword::BETWEEN
            | Keyword::COLLATE
            | Keyword::DIV
            | Keyword::ILIKE
            | Keyword::IN
            | Keyword::IS
            | Keyword::LIKE
            | Keyword::NOT
            | Keyword::NOTNULL
            | Keyword::OPERATOR
            | Keyword::OVERLAPS
            | Keyword::REGEXP
            | Keyword::RLIKE
            | Keyword::SIMILAR
            | Keyword::XOR => Self::Operator,
            _ => Self::Operand,
        }
    }
}

fn is_keyword(token: &Token, keyword: Keyword) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none() && word.keyword == keyword)
}

fn is_nested_type(token: &Token) -> bool {
    [Keyword::ARRAY, Keyword::STRUCT, Keyword::MAP, Keyword::TABLE]
        .iter()
        .any(|keyword| is_keyword(token, *keyword))
}

/// Functions that are rewritten to CASE with an argument twice.
fn is_rewritten_function(token: &Token) -> bool {
    const NAMES: [&str; 5] = ["coalesce", "ifnull", "nullif", "nvl", "nvl2"];
    matches!(token, Token::Word(word) if NAMES.iter().any(|name| word.value.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::{dialect::PostgreSqlDialect, tokenizer::Tokenizer};

    use super::*;

    #[test]
    fn a_chain_is_as_deep_as_it_is_long() {
        assert_eq!(nesting("1+1+1+1").operators, 3);
        assert_eq!(nesting("m->'a'->'b'::int::text").operators, 4);
        assert_eq!(nesting("x[1][2] IS NULL IS NULL").operators, 4);
        assert_eq!(nesting("a = 1 OR b = 2 OR c + 1 > 2").operators, 4);
        assert_eq!(nesting("a IS DISTINCT FROM b IS DISTINCT FROM c").operators, 2);
    }

    #[test]
    fn a_list_is_as_deep_as_its_deepest_item() {
        assert_eq!(nesting("SELECT a+1, b+1+1, c FROM t WHERE d = 1").operators, 2);
        assert_eq!(nesting("1 IN (1, 2, 3, 4)").operators, 1);
    }

    #[test]
    fn brackets_add_up_along_a_path() {
        assert_eq!(nesting("1+(2+(3+4))+5"), Nesting { brackets: 2, operators: 4, ..Nesting::default() });
        assert_eq!(nesting("f(g(h(1)))").brackets, 3);
        assert_eq!(nesting("))((").brackets, 2);
        assert_eq!(nesting("((1+1)+1+1)+1+1").operators, 5);
        assert_eq!(nesting("(a = 1 AND b = 2) OR (a = 2 AND b = 3) OR (a = 4)").operators, 4);
        assert_eq!(nesting("((1+1").operators, 1);
    }

    #[test]
    fn json_operators_are_counted_per_operand() {
        assert_eq!(nesting("m->'a'->>'b' = 'x' AND m ? 'c'").json_operators, 2);
        assert_eq!(nesting("CASE WHEN m->'a' = 1 THEN m->'b' ELSE m->'c' END").json_operators, 1);
        assert_eq!(nesting("(m->'a'->'b')->'c'").json_operators, 3);
        assert_eq!(nesting("m->then->then->'a'").json_operators, 3);
    }

    #[test]
    fn rewrites_are_counted_along_a_path() {
        assert_eq!(nesting("(a BETWEEN 1 AND 2) BETWEEN 1 AND 2").rewrites, 2);
        assert_eq!(nesting("coalesce(nullif(a, 1), Coalesce(b, 2))").rewrites, 2);
        assert_eq!(nesting("a BETWEEN 1 AND 2 AND b BETWEEN 1 AND 2").rewrites, 1);
    }

    #[test]
    fn types_are_counted_apart() {
        assert_eq!(nesting("CAST(1 AS ARRAY<ARRAY<INT>>)").type_brackets, 2);
        assert_eq!(nesting("array_a < 1").type_brackets, 0);
    }

    fn nesting(sql: &str) -> Nesting {
        Nesting::of(&Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize_with_location().unwrap())
    }
}
