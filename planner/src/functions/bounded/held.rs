//! Memory that is reserved for as long as an array lives: the reservation hangs at the array's largest buffer, and is given back with it.

use std::sync::Arc;

use arrow::{
    array::{Array, ArrayData, ArrayRef, make_array},
    buffer::Buffer,
};
use datafusion::{error::Result, execution::memory_pool::MemoryReservation};

/// The array, which gives the reservation back when nobody has it any more.
///
/// # Errors
/// Propagates Arrow's errors; none is expected for an array of its own parts.
pub(super) fn hold(array: &ArrayRef, reservation: MemoryReservation) -> Result<ArrayRef> {
    let data = array.to_data();
    let largest = largest_buffer(&data);
    if largest == 0 {
        return Ok(Arc::clone(array));
    }
    Ok(make_array(attach(data, largest, &mut Some(reservation))?))
}

fn largest_buffer(data: &ArrayData) -> usize {
    let own = data.buffers().iter().map(Buffer::len);
    own.chain(data.child_data().iter().map(largest_buffer)).max().unwrap_or_default()
}

fn attach(data: ArrayData, bytes: usize, reservation: &mut Option<MemoryReservation>) -> Result<ArrayData> {
    let buffers = data.buffers().iter().map(|buffer| match reservation.take_if(|_| buffer.len() == bytes) {
        Some(reservation) => {
            Buffer::from(bytes::Bytes::from_owner(Held { buffer: buffer.clone(), _reservation: reservation }))
        }
        None => buffer.clone(),
    });
    let buffers = buffers.collect();
    let children = data.child_data().iter().map(|child| match reservation {
        Some(_) => attach(child.clone(), bytes, reservation),
        None => Ok(child.clone()),
    });
    let children = children.collect::<Result<Vec<_>>>()?;
    Ok(data.into_builder().buffers(buffers).child_data(children).build()?)
}

struct Held {
    buffer: Buffer,
    _reservation: MemoryReservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        self.buffer.as_slice()
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ListArray, StringArray, StringViewArray, types::Int64Type};
    use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryConsumer, MemoryPool};

    use super::*;

    #[test]
    fn a_reservation_lives_as_long_as_a_part_of_its_array() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1_000));
        let long = "a text that is no part of its view";
        let arrays: [ArrayRef; 4] = [
            Arc::new(StringArray::from(vec!["abc", "d"])),
            Arc::new(StringViewArray::from(vec![long, "d"])),
            Arc::new(StringViewArray::from(vec!["abc", "d"])),
            Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>([Some([Some(1), None])])),
        ];
        for array in arrays {
            let reservation = MemoryConsumer::new("repeat").register(&pool);
            reservation.try_grow(100).unwrap();
            let held = hold(&array, reservation).unwrap();
            assert_eq!(&held, &array);
            let part = held.slice(0, 1);
            drop(held);
            assert_eq!(pool.reserved(), 100);
            drop(part);
            assert_eq!(pool.reserved(), 0);
        }
    }
}
