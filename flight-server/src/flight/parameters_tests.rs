//! Tests of [`fitted`]: which values are converted, which are left, which are refused.

use arrow::{
    array::{
        AsArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
        Int64Array, NullArray, StringArray, StringViewArray, TimestampMicrosecondArray,
        TimestampNanosecondArray, UnionArray,
    },
    datatypes::{
        Decimal128Type, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
        TimestampNanosecondType, UnionFields,
    },
};

use super::*;

const NOON_US: i64 = 1_748_779_200_000_000;

fn micros() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

#[test]
fn values_that_stay_the_same_are_converted() {
    let decimal = Decimal128Array::from(vec![15]).with_precision_and_scale(3, 1).unwrap();
    assert_eq!(fit(Int64Array::from(vec![3]), DataType::Float64).as_primitive::<Float64Type>().value(0), 3.0);
    assert_eq!(fit(Float64Array::from(vec![3.0]), DataType::Int64).as_primitive::<Int64Type>().value(0), 3);
    assert_eq!(fit(decimal, DataType::Float64).as_primitive::<Float64Type>().value(0), 1.5);
    assert_eq!(fit(Int64Array::from(vec![42]), DataType::Utf8).as_string::<i32>().value(0), "42");
    assert_eq!(fit(StringArray::from(vec!["42"]), DataType::Int64).as_primitive::<Int64Type>().value(0), 42);
    let nanos = TimestampNanosecondArray::from(vec![NOON_US * 1_000]);
    let naive = TimestampMicrosecondArray::from(vec![NOON_US]);
    let text = StringArray::from(vec!["2025-06-01T14:00:00+02:00"]);
    let columns: [ArrayRef; 3] = [Arc::new(nanos), Arc::new(naive), Arc::new(text)];
    for column in columns {
        let fitted = fitted_column(&column, &micros()).unwrap();
        assert_eq!(fitted.as_primitive::<TimestampMicrosecondType>().value(0), NOON_US, "{column:?}");
    }
    let day = fit(Date32Array::from(vec![20_240]), micros());
    assert_eq!(day.as_primitive::<TimestampMicrosecondType>().value(0), 20_240 * 86_400_000_000);
}

#[test]
fn values_that_would_change_are_left() {
    assert_eq!(fit(Float64Array::from(vec![3.5]), DataType::Int64).data_type(), &DataType::Float64);
    assert_eq!(fit(Int64Array::from(vec![1 << 40]), DataType::Int32).data_type(), &DataType::Int64);
    // A number could be seconds or anything else, and a flag is no number.
    assert_eq!(fit(Int64Array::from(vec![1]), micros()).data_type(), &DataType::Int64);
    assert_eq!(fit(BooleanArray::from(vec![true]), DataType::Float64).data_type(), &DataType::Boolean);
}

#[test]
fn moments_between_two_microseconds_stay_what_they_are() {
    let nanos = || DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let told: [ArrayRef; 2] = [
        Arc::new(TimestampNanosecondArray::from(vec![NOON_US * 1_000 + 1, NOON_US * 1_000])),
        Arc::new(StringArray::from(vec!["2025-06-01T12:00:00.000000001Z", "2025-06-01 12:00"])),
    ];
    for column in told {
        let fitted = fitted_column(&column, &micros()).unwrap();
        assert_eq!(fitted.data_type(), &nanos());
        let values = fitted.as_primitive::<TimestampNanosecondType>().values();
        assert_eq!(values, &[NOON_US * 1_000 + 1, NOON_US * 1_000]);
    }
    let day = fit(StringArray::from(vec![Some("9999-12-31"), None]), micros());
    assert_eq!(day.as_primitive::<TimestampMicrosecondType>().value(0), 253_402_214_400_000_000);
    assert!(day.is_null(1));
    let dates: ArrayRef = Arc::new(StringArray::from(vec!["2025-06-01T00:00:00Z", "2025-06-01T12:00:00Z"]));
    assert!(fitted_column(&dates, &DataType::Date32).unwrap_err().to_string().contains("time of day"));
    assert!(fitted_column(&dates.slice(0, 1), &DataType::Date32).is_ok());
    let late: ArrayRef = Arc::new(StringArray::from(vec!["9999-12-31T00:00:00.0000001Z"]));
    assert!(fitted_column(&late, &micros()).unwrap_err().to_string().contains("2262"));
}

#[test]
fn decimals_are_the_floats_of_their_digits_and_texts_lose_none() {
    let decimal =
        |digits, scale| Decimal128Array::from(vec![digits]).with_precision_and_scale(38, scale).unwrap();
    let double = |column| fit(column, DataType::Float64).as_primitive::<Float64Type>().value(0);
    assert_eq!(double(decimal(9_903_553_410_406_639, 14)), 99.03553410406639);
    assert_eq!(double(decimal(1, 1)), 0.1);
    assert_eq!(double(decimal(12_345_678_901_234_567_890, 20)), 0.123_456_789_012_345_68);
    let cents = DataType::Decimal128(10, 2);
    let fitted = fit(StringArray::from(vec![Some("1.5"), None]), cents.clone());
    assert_eq!(fitted.as_primitive::<Decimal128Type>().value(0), 150);
    assert!(fitted.is_null(1));
    for text in ["1.255", "123456789.00", "warm"] {
        let column: ArrayRef = Arc::new(StringArray::from(vec![text]));
        assert!(fitted_column(&column, &cents).is_err(), "{text}");
    }
}

#[test]
fn values_of_another_type_are_named_by_their_number() {
    let flag: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
    let number: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    let batch = RecordBatch::try_from_iter([("$1", number), ("$2", flag)]).unwrap();
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let expected = Schema::new(vec![field("$1", DataType::Float64), field("$2", DataType::Float64)]);
    let misfits = misfits(&batch, &expected).unwrap();
    assert_eq!(misfits, "parameter $2 is Boolean where Float64 is expected");
    let open = Schema::new(vec![field("$1", DataType::Null), field("$2", DataType::Boolean)]);
    assert_eq!(super::misfits(&batch, &open), None);
}

#[test]
fn nulls_and_untyped_parameters_are_taken() {
    let null = fit(NullArray::new(2), DataType::Float64);
    assert_eq!((null.data_type(), null.null_count()), (&DataType::Float64, 2));
    let some = fit(Int64Array::from(vec![Some(1), None]), DataType::Float64);
    assert_eq!((some.data_type(), some.null_count()), (&DataType::Float64, 1));
    assert_eq!(fit(Int32Array::from(vec![1]), DataType::Null).data_type(), &DataType::Int32);
}

#[test]
fn dictionaries_and_views_are_taken_apart() {
    let dictionary: DictionaryArray<Int32Type> = vec!["a", "b", "a"].into_iter().collect();
    let view = StringViewArray::from(vec!["a", "b", "a"]);
    let columns: [ArrayRef; 2] = [Arc::new(dictionary), Arc::new(view)];
    for column in columns {
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let expected = Schema::new(vec![Field::new("$1", DataType::Utf8View, true)]);
        let batch = fitted(&batch, &expected).unwrap();
        assert_eq!(batch.column(0).as_string::<i32>(), &StringArray::from(vec!["a", "b", "a"]));
        assert!(fits(&batch, &expected));
    }
}

#[test]
fn a_union_of_one_kind_of_value_is_taken_apart() {
    let member = |name: &str, data_type| Arc::new(Field::new(name, data_type, true));
    let fields: UnionFields =
        [(0, member("int", DataType::Int64)), (1, member("text", DataType::Utf8))].into_iter().collect();
    let children: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![7, 8])), Arc::new(StringArray::from(vec!["a"]))];
    let dense = |ids: Vec<i8>, offsets: Vec<i32>| {
        let union = UnionArray::try_new(fields.clone(), ids.into(), Some(offsets.into()), children.clone());
        RecordBatch::try_from_iter([("x", Arc::new(union.unwrap()) as ArrayRef)]).unwrap()
    };
    let float = Schema::new(vec![Field::new("$1", DataType::Float64, true)]);
    let batch = fitted(&dense(vec![0, 0], vec![1, 0]), &float).unwrap();
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().values(), &[8.0, 7.0]);
    let error = fitted(&dense(vec![0, 1], vec![0, 0]), &float).unwrap_err();
    assert!(error.message().contains("several types"), "{error}");
}

#[test]
fn text_of_another_kind_and_wrong_counts_are_refused() {
    let batch =
        RecordBatch::try_from_iter([("x", Arc::new(StringArray::from(vec!["warm"])) as ArrayRef)]).unwrap();
    let float = Schema::new(vec![Field::new("$1", DataType::Float64, true)]);
    let error = fitted(&batch, &float).unwrap_err();
    assert!(error.message().starts_with("parameter $1: ") && error.message().contains("warm"), "{error}");
    let error = fitted(&batch, &Schema::empty()).unwrap_err();
    assert!(error.message().contains("has 0 parameters, 1 values were given"), "{error}");
}

fn fit(column: impl Array + 'static, expected: DataType) -> ArrayRef {
    fitted_column(&(Arc::new(column) as ArrayRef), &expected).unwrap()
}
