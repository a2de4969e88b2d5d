//! Sets of pod numbers.

use super::super::indexes::Indexes;

#[test]
fn sets_of_numbers_read_as_they_are_written() {
    let check = |text: &str, limit: u32, expected: &str, len: usize| {
        let set = Indexes::parse(text, limit);
        assert_eq!((set.to_string(), set.len()), (expected.to_owned(), len), "{text}");
    };
    check("", 9, "", 0);
    check("1,3-5,7", 9, "1,3-5,7", 5);
    check("1,2,3-5", 9, "1-5", 5);
    check("0,1", 9, "0,1", 2);
    check("2-100,a,5-3", 4, "2,3", 2);
    let set = Indexes::parse("1,3-5", 9).with([2, 8]);
    assert_eq!(set.to_string(), "1-5,8");
    assert!(set.contains(4) && set.contains(8) && !set.contains(6) && !set.contains(0));
    assert_eq!(set.common(&Indexes::parse("4-8", 9)), 3);
}
