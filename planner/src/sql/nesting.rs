//! How deep the syntax tree of a text can get, bounded from its tokens alone, before anything recursive sees it. A chain such as
//! `a + b + …` nests as deep as it is long; planning takes stack for each level and time that grows with the square.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan},
};

use super::limits::is_space;

/// Upper bounds of a text's nesting.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nesting {
    /// Brackets within brackets.
    pub(super) brackets: usize,
    /// Operators applied to the result of operators, along the deepest path; never less than there are.
    pub(super) operators: usize,
    /// `ARRAY<`, `STRUCT<` and the like: the parser recurses on types without counting.
    pub(super) type_brackets: usize,
}

/// The operators of one bracket level.
#[derive(Debug, Default, Clone, Copy)]
struct Level {
    /// AND and OR since the last comma or clause; their operands are the chains of `other`.
    logical: usize,
    /// Other operators since the last AND or OR, with those in brackets among their operands.
    other: usize,
    other_max: usize,
    /// The deepest item before the last comma or clause.
    item_max: usize,
}

impl Level {
    fn depth(self) -> usize {
        self.item_max.max(self.logical + self.other_max)
    }

    fn apply(&mut self, operators: usize) {
        self.other += operators;
        self.other_max = self.other_max.max(self.other);
    }

    fn end_operand(&mut self) {
        self.logical += 1;
        self.other = 0;
    }

    fn end_item(&mut self) {
        *self = Self { item_max: self.depth(), ..Self::default() };
    }
}

impl Nesting {
    /// Walks the tokens once.
    pub(super) fn of(tokens: &[TokenWithSpan]) -> Self {
        let mut nesting = Self::default();
        let mut outer: Vec<Level> = Vec::new();
        let mut level = Level::default();
        let mut before = None;
        for token in tokens.iter().map(|token| &token.token).filter(|token| !is_space(token)) {
            match Role::of(token) {
                Role::Open => {
                    // A subscript is an operator on what stands before it.
                    level.apply(usize::from(*token == Token::LBracket));
                    outer.push(std::mem::take(&mut level));
                }
                Role::Close => level = closed(level, outer.pop()),
                Role::Separator => level.end_item(),
                Role::Logical => level.end_operand(),
                Role::Operator => level.apply(1),
                Role::Operand => {}
            }
            nesting.brackets = nesting.brackets.max(outer.len());
            nesting.type_brackets += usize::from(*token == Token::Lt && before.is_some_and(is_nested_type));
            before = Some(token);
        }
        nesting.operators =
            outer.into_iter().rev().fold(level, |level, outer| closed(level, Some(outer))).depth();
        nesting
    }
}

/// What is in brackets may be the deep side of every operator around them. A bracket that was never opened closes nothing.
fn closed(inner: Level, outer: Option<Level>) -> Level {
    let Some(mut level) = outer else { return inner };
    level.apply(inner.depth());
    level
}

/// What a token does to the depth of the tree.
enum Role {
    Open,
    Close,
    Separator,
    Logical,
    Operator,
    Operand,
}

impl Role {
    fn of(token: &Token) -> Self {
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => Self::Open,
            Token::RParen | Token::RBracket | Token::RBrace => Self::Close,
            Token::Comma | Token::SemiColon => Self::Separator,
            Token::Word(word) if word.quote_style.is_some() => Self::Operand,
            Token::Word(word) => Self::of_keyword(word.keyword),
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::EscapedStringLiteral(_)
            | Token::UnicodeStringLiteral(_)
            | Token::NationalStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::DollarQuotedString(_)
            | Token::Placeholder(_)
            | Token::Period
            | Token::EOF => Self::Operand,
            _ => Self::Operator,
        }
    }

    fn of_keyword(keyword: Keyword) -> Self {
        match keyword {
            Keyword::AND | Keyword::OR => Self::Logical,
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
            Keyword::SELECT
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::ON
            | Keyword::LIMIT => Self::Separator,
            _ => Self::Operand,
        }
    }
}

fn is_nested_type(token: &Token) -> bool {
    matches!(token, Token::Word(word)
        if matches!(word.keyword, Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP | Keyword::TABLE))
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
        assert_eq!(nesting("1+(2+(3+4))+5"), Nesting { brackets: 2, operators: 4, type_brackets: 0 });
        assert_eq!(nesting("f(g(h(1)))").brackets, 3);
        assert_eq!(nesting("))((").brackets, 2);
        assert_eq!(nesting("((1+1)+1+1)+1+1").operators, 5);
        assert_eq!(nesting("(a = 1 AND b = 2) OR (a = 2 AND b = 3) OR (a = 4)").operators, 4);
        assert_eq!(nesting("((1+1").operators, 1);
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
