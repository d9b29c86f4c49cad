//! Where large things wait while small numbers for them go about.
//!
//! A place is used again as soon as it is free, the last one freed first: so the slab stays as small as what
//! waits, and warm.

/// Things by number.
pub(super) struct Slab<T> {
    things: Vec<Option<T>>,
    /// The numbers of empty places.
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab {
            things: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    /// Puts something in and returns its number.
    pub(super) fn put(&mut self, thing: T) -> u32 {
        if let Some(number) = self.free.pop() {
            self.things[at(number)] = Some(thing);
            return number;
        }
        self.things.push(Some(thing));
        u32::try_from(self.things.len() - 1).expect("less than 2^32 things wait")
    }

    /// Takes out what has that number, which is then free for something else.
    pub(super) fn take(&mut self, number: u32) -> T {
        self.free.push(number);
        let thing = self.things[at(number)].take();
        thing.expect("each number is taken once")
    }
}

/// The number of a place, as tables count.
pub(super) fn at(number: u32) -> usize {
    usize::try_from(number).expect("a place in a table in memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_place_is_used_again() {
        let mut slab = Slab::default();
        let (a, b) = (slab.put("a"), slab.put("b"));
        assert_eq!(slab.take(a), "a");
        assert_eq!(slab.put("c"), a);
        assert_eq!((slab.take(b), slab.take(a)), ("b", "c"));
    }
}
