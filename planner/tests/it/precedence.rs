//! Which operator binds tighter.

use crate::values_table::{expect, ten_events};

#[tokio::test]
async fn operators_bind_as_people_read_them() {
    expect(
        &ten_events().await,
        &[
            (
                "SELECT device_id || '.' || metadata->>'site' FROM events ORDER BY timestamp LIMIT 2",
                "d0.x; d1.y",
            ),
            ("SELECT metadata->>'site' || '.' || device_id FROM events ORDER BY timestamp LIMIT 1", "x.d0"),
            ("SELECT 'n=' || metadata->'a'->>'n' || '!' FROM events ORDER BY timestamp LIMIT 1", "n=5!"),
            ("SELECT 'n=' || metadata#>>'{a,n}' FROM events ORDER BY timestamp LIMIT 1", "n=5"),
            ("SELECT 1 IS DISTINCT FROM 1 AND true, 1 IS NOT DISTINCT FROM 1 OR false", "false true"),
            ("SELECT 1 IS DISTINCT FROM 2 AND 3 IS NOT DISTINCT FROM 3", "true"),
            ("SELECT 1 IS DISTINCT FROM 1 + 1, NOT 1 IS DISTINCT FROM 1", "true true"),
            ("SELECT count(*) FROM events WHERE latitude IS DISTINCT FROM 10 AND value > 0", "7"),
            ("SELECT -2 ^ 2, 2 ^ -1, -2::int * 3, - -2, -value::int FROM events ORDER BY timestamp LIMIT 1", "4.0 0.5 -6 2 2"),
            ("SELECT NOT 1 = 2 AND false, NOT (1 = 2) OR false", "false true"),
            ("SELECT 2 + 3 || 'x', 'a' || 'b' = 'ab', 1 BETWEEN 0 AND 2 AND true", "5x true true"),
            (
                "SELECT value + 1 IN (2) AND true FROM events ORDER BY timestamp LIMIT 4",
                "false; false; false; true",
            ),
            ("SELECT 1>-1, 1>=-1, 1<>-1, 1>+0, 5%-3, 'a'||-1, 2*-3", "true true true true 2 a-1 -6"),
            ("SELECT '1'::int + 1, -'1'::int, 'a' LIKE 'a' || '%'", "2 -1 true"),
        ],
    )
    .await;
}
