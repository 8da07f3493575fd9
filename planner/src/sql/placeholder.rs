//! Numbers `?` parameters: the first becomes `$1`, the second `$2`. Works on tokens, so that strings, quoted names and comments
//! are never touched, and leaves `?` alone where it is the JSON operator, that is, after an operand.

use datafusion::{
    common::plan_err,
    error::{DataFusionError, Result},
    sql::sqlparser::{
        dialect::Dialect,
        keywords::Keyword,
        parser::ParserError,
        tokenizer::{Token, TokenWithSpan, Tokenizer},
    },
};

use super::limits::is_space;

/// Rewrites `?` in operand position to `$n`; in operator position it stays the JSON operator. Signs leave the operators before them.
///
/// # Errors
/// `Plan` when a text uses both `?` and `$n` for parameters.
pub(super) fn number_placeholders(
    tokens: Vec<TokenWithSpan>,
    dialect: &dyn Dialect,
) -> Result<Vec<TokenWithSpan>> {
    let is_custom = |token: &Token| matches!(token, Token::CustomBinaryOperator(_));
    if !tokens.iter().any(|token| has_question_mark(&token.token) || is_custom(&token.token)) {
        return Ok(tokens);
    }
    let mut numbering =
        Numbering { tokens: Vec::with_capacity(tokens.len()), count: 0, after_operand: false };
    for token in tokens {
        for part in split_operator(token, dialect)? {
            numbering.push(part);
        }
    }
    numbering.finish()
}

/// The tokens so far and whether the last of them ends an operand.
struct Numbering {
    tokens: Vec<TokenWithSpan>,
    count: usize,
    after_operand: bool,
}

impl Numbering {
    fn push(&mut self, token: TokenWithSpan) {
        if is_space(&token.token) {
            self.tokens.push(token);
            return;
        }
        match (self.after_operand, rest_after_question_mark(&token.token)) {
            (false, Some(rest)) => {
                self.count += 1;
                let parameter = Token::Placeholder(format!("${}", self.count));
                self.after_operand = rest.is_empty();
                self.tokens.push(TokenWithSpan { token: parameter, span: token.span });
                self.tokens
                    .extend(rest.iter().map(|part| TokenWithSpan { token: part.clone(), span: token.span }));
            }
            _ => {
                self.after_operand = ends_operand(&token.token);
                self.tokens.push(token);
            }
        }
    }

    fn finish(self) -> Result<Vec<TokenWithSpan>> {
        let placeholder_count =
            self.tokens.iter().filter(|token| matches!(&token.token, Token::Placeholder(_))).count();
        if self.count > 0 && placeholder_count > self.count {
            return plan_err!("parameters are written either as ? or as $1, $2; this statement has both");
        }
        Ok(self.tokens)
    }
}

fn has_question_mark(token: &Token) -> bool {
    rest_after_question_mark(token).is_some()
        || matches!(token, Token::CustomBinaryOperator(text) if text.contains('?'))
}

/// The PostgreSQL tokens that begin with `?`, and what is left of each when its `?` is a parameter.
fn rest_after_question_mark(token: &Token) -> Option<&'static [Token]> {
    match token {
        Token::Question => Some(&[]),
        Token::QuestionAnd => Some(&[Token::Ampersand]),
        Token::QuestionPipe => Some(&[Token::Pipe]),
        Token::QuestionMarkDash => Some(&[Token::Minus]),
        Token::QuestionMarkDashVerticalBar => Some(&[Token::Minus, Token::Pipe]),
        Token::QuestionMarkDoubleVerticalBar => Some(&[Token::StringConcat]),
        _ => None,
    }
}

/// `value>?` is one custom operator to this lexer; clients mean `>` and a parameter. So is `value>-1`, which PostgreSQL takes apart, too.
fn split_operator(token: TokenWithSpan, dialect: &dyn Dialect) -> Result<Vec<TokenWithSpan>> {
    let Token::CustomBinaryOperator(text) = &token.token else { return Ok(vec![token]) };
    let pieces: Vec<&str> = match text.find('?') {
        Some(at) => signs_apart(&text[..at]).into_iter().chain([&text[at..]]).collect(),
        None => match signs_apart(text) {
            whole if whole.len() < 2 => return Ok(vec![token]),
            apart => apart,
        },
    };
    let mut parts = Vec::new();
    for piece in pieces {
        let pieces = Tokenizer::new(dialect, piece)
            .tokenize()
            .map_err(|error| DataFusionError::from(ParserError::from(error)))?;
        parts.extend(pieces.into_iter().map(|piece| TokenWithSpan { token: piece, span: token.span }));
    }
    Ok(parts)
}

/// An operator and the signs behind it, each by itself.
fn signs_apart(text: &str) -> Vec<&str> {
    let operator = text.trim_end_matches(['+', '-']);
    let signs = &text[operator.len()..];
    let operator = (!operator.is_empty()).then_some(operator);
    operator.into_iter().chain(signs.split_inclusive(['+', '-'])).collect()
}

/// Whether what stands before the end of this token is a complete operand, after which `?` is an operator.
pub(super) fn ends_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.quote_style.is_some() || !awaits_operand(word.keyword),
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::Placeholder(_)
        | Token::RParen
        | Token::RBracket => true,
        _ => false,
    }
}

/// Keywords that an expression follows. A column may be named like any other keyword.
fn awaits_operand(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::ALL
            | Keyword::AND
            | Keyword::ANY
            | Keyword::BETWEEN
            | Keyword::BY
            | Keyword::CASE
            | Keyword::DISTINCT
            | Keyword::ELSE
            | Keyword::ESCAPE
            | Keyword::FETCH
            | Keyword::FIRST
            | Keyword::FOR
            | Keyword::FROM
            | Keyword::GROUPS
            | Keyword::HAVING
            | Keyword::ILIKE
            | Keyword::IN
            | Keyword::INTERVAL
            | Keyword::IS
            | Keyword::LIKE
            | Keyword::LIMIT
            | Keyword::NEXT
            | Keyword::NOT
            | Keyword::OFFSET
            | Keyword::ON
            | Keyword::OR
            | Keyword::QUALIFY
            | Keyword::RANGE
            | Keyword::ROWS
            | Keyword::SELECT
            | Keyword::SIMILAR
            | Keyword::SOME
            | Keyword::THEN
            | Keyword::TO
            | Keyword::VALUES
            | Keyword::WHEN
            | Keyword::WHERE
            | Keyword::ZONE
    )
}

#[cfg(test)]
#[path = "placeholder_tests.rs"]
mod tests;
