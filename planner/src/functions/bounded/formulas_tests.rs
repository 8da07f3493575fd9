//! What formulas say of values, beside what the functions make of them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray, StringViewArray, types::Int64Type};
use datafusion::{
    common::ScalarValue,
    execution::memory_pool::{GreedyMemoryPool, MemoryPool},
    logical_expr::ColumnarValue,
};

use super::{
    Bounds,
    growth::{Growth, growth_of},
    measure::{Argument, Size},
    pieces::Pieces,
    row::Row,
};

const TEXTS: [&str; 6] = ["", "a", "banana", "ééé", "a,b,,c", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"];

/// Functions whose second argument is a number.
const TIMES: [&str; 5] = ["array_repeat", "array_resize", "lpad", "repeat", "rpad"];

#[test]
fn values_have_what_is_said() {
    let text = |text: &str| ColumnarValue::Scalar(ScalarValue::from(text));
    let number = |number: i64| ColumnarValue::Scalar(ScalarValue::from(number));
    for (name, args, bytes) in [
        ("repeat", vec![text("abc"), number(4)], 12),
        ("repeat", vec![text("abc"), number(-4)], 0),
        ("lpad", vec![text("é"), number(5), text("x")], 6),
        ("rpad", vec![text("abc"), number(2)], 3),
        ("rpad", vec![text("abc"), number(9), text("")], 3),
        ("replace", vec![text("banana"), text("a"), text("oo")], 12),
        ("||", vec![text("ab"), text("c")], 3),
        ("concat_ws", vec![text(","), text("ab"), text("c")], 7),
        ("regexp_replace", vec![text("abc"), text("b"), text("x$1")], 9),
        ("regexp_replace", vec![text("abc"), text("b"), text("x"), text("g")], 7),
        ("range", vec![number(3)], 32),
        ("range", vec![number(10), number(1), number(-3)], 32),
        ("range", vec![number(1), number(10), number(-3)], 0),
        ("range", vec![number(i64::MIN), number(i64::MAX)], u64::MAX),
        ("array_repeat", vec![number(1), number(10)], 240),
    ] {
        let arguments: Vec<_> = args.iter().map(|arg| Argument::of(arg).unwrap()).collect();
        assert_eq!(measured(growth_of(name).unwrap(), &arguments, Some(0)), bytes, "{name} {args:?}");
    }
}

/// Otherwise a batch would be let through that has a row beyond all bounds.
#[test]
fn no_row_exceeds_the_largest_arguments() {
    let cubed =
        |place: usize| (0..216).map(move |row| TEXTS[row / 6_usize.pow(u32::try_from(place).unwrap()) % 6]);
    let numbers: ArrayRef = Arc::new((0..216).map(|row| Some(row % 7 - 2)).collect::<Int64Array>());
    let column = |place| -> ArrayRef { Arc::new(StringArray::from_iter_values(cubed(place))) };
    let views = |place| -> ArrayRef { Arc::new(StringViewArray::from_iter_values(cubed(place))) };
    for name in super::growth::names().filter(|name| !matches!(*name, "range" | "generate_series")) {
        let second =
            if TIMES.contains(&name) { vec![Arc::clone(&numbers)] } else { vec![column(1), views(1)] };
        for second in second {
            let columns = [column(0), second, views(2)];
            let arguments = columns.map(|column| Argument::of(&ColumnarValue::Array(column)).unwrap());
            let growth = growth_of(name).unwrap();
            let most = measured(growth, &arguments, None);
            for row in 0..216 {
                assert!(measured(growth, &arguments, Some(row)) <= most, "{name} in row {row}");
            }
        }
    }
}

#[test]
fn lists_are_measured_with_all_that_is_in_them() {
    let list =
        ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let lists = Argument::of(&ColumnarValue::Array(Arc::new(list))).unwrap();
    assert_eq!((lists.at(0).bytes, lists.at(0).items, lists.at(0).leaves), (32, 2, 2));
    assert_eq!((lists.at(2).bytes, lists.at(2).items), (16, 0));
    assert_eq!(lists.largest().items, 2);
}

#[test]
fn batches_are_cut_where_they_are_large() {
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(4 << 30));
    let bounds = Bounds::new(&pool, &pool);
    let text = ColumnarValue::Scalar(ScalarValue::from("x"));
    let pieces = |times: Vec<i64>| {
        let rows = times.len();
        let times = ColumnarValue::Array(Arc::new(Int64Array::from(times)));
        let arguments = [&text, &times].map(|value| Argument::of(value).unwrap());
        Pieces::of(growth_of("repeat").unwrap(), &bounds, &arguments, rows)
    };
    assert_eq!(pieces(vec![1, 10]).unwrap(), Pieces { bytes: 20, ranges: vec![] });
    let million = 1 << 20;
    let cut = pieces(vec![20 * million, 20 * million, million, 60 * million]).unwrap();
    assert_eq!(cut, Pieces { bytes: 101 << 20, ranges: vec![0..1, 1..3, 3..4] });
    assert!(pieces(vec![1, 65 * million]).is_err());
    assert!(pieces(vec![60 * million; 5]).is_err());
}

fn measured(growth: &Growth, arguments: &[Argument], row: Option<usize>) -> u64 {
    let sizes: Vec<Size> = match row {
        Some(row) => arguments.iter().map(|argument| argument.at(row)).collect(),
        None => arguments.iter().map(Argument::largest).collect(),
    };
    (growth.bytes)(&Row::new(arguments, &sizes, row))
}
