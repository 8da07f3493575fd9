//! What a text may ask for, told from its tokens in one pass, so that no syntax tree is walked for what is not in it.

use datafusion::sql::sqlparser::{
    keywords::Keyword,
    tokenizer::{Token, TokenWithSpan, Word},
};

use super::series_subqueries::SERIES;

/// Each may be set without need, and is never missing.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Mentions {
    /// `IN`.
    pub(super) membership: bool,
    /// `WITH`.
    pub(super) with_queries: bool,
    /// `EXCLUDE`, `EXCEPT` and `REPLACE` after a star.
    pub(super) star_options: bool,
    /// `DISTINCT` and set operations.
    pub(super) distinct: bool,
    /// `generate_series` and `range`.
    pub(super) series: bool,
    /// `AT TIME ZONE`.
    pub(super) time_zones: bool,
    /// `ESCAPE`.
    pub(super) escapes: bool,
    /// `#>` and `#>>`.
    pub(super) json_paths: bool,
    /// `$1`.
    pub(super) parameters: bool,
}

impl Mentions {
    pub(super) fn of(tokens: &[TokenWithSpan]) -> Self {
        let mut mentions = Self::default();
        for token in tokens {
            match &token.token {
                Token::Word(word) => mentions.add(word),
                Token::HashArrow | Token::HashLongArrow => mentions.json_paths = true,
                Token::Placeholder(_) => mentions.parameters = true,
                _ => {}
            }
        }
        mentions
    }

    fn add(&mut self, word: &Word) {
        match word.keyword {
            Keyword::IN => self.membership = true,
            Keyword::WITH => self.with_queries = true,
            Keyword::EXCLUDE | Keyword::REPLACE => self.star_options = true,
            Keyword::EXCEPT => (self.star_options, self.distinct) = (true, true),
            Keyword::DISTINCT | Keyword::UNION | Keyword::INTERSECT | Keyword::MINUS => self.distinct = true,
            Keyword::ZONE => self.time_zones = true,
            Keyword::ESCAPE => self.escapes = true,
            _ => self.series |= SERIES.iter().any(|name| word.value.eq_ignore_ascii_case(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::tokenizer::Tokenizer;

    use super::*;
    use crate::sql::dialect::HexflightDialect;

    #[test]
    fn a_plain_question_mentions_nothing() {
        let found =
            of("SELECT avg(value) FROM events WHERE type = 'range' AND timestamp >= '2025-01-01' -- in");
        assert_eq!(format!("{found:?}"), format!("{:?}", Mentions::default()));
    }

    #[test]
    fn words_are_found_in_any_case_and_in_quotes() {
        assert!(of("SELECT 1 WHERE (1, 2) in (SELECT 1, 2)").membership);
        assert!(
            of("SELECT * FROM Range(1, 2)").series && of("SELECT * FROM \"generate_series\"(1, 2)").series
        );
        assert!(
            of("SELECT * Exclude (a) FROM t").star_options && of("SELECT * EXCEPT (a) FROM t").star_options
        );
        assert!(of("SELECT 1 MINUS SELECT 2").distinct && of("SELECT distinct 1").distinct);
        assert!(of("SELECT now() at time zone 'UTC'").time_zones && of("SELECT a LIKE b escape ''").escapes);
        assert!(of("SELECT m #>> '{a}'").json_paths && of("SELECT $1").parameters);
    }

    fn of(sql: &str) -> Mentions {
        Mentions::of(&Tokenizer::new(&HexflightDialect, sql).tokenize_with_location().unwrap())
    }
}
