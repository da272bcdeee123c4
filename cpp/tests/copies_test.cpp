// Copies of rows: what several threads have moved comes home, each move once.
#include <random>
#include <vector>

#include "check.hpp"

#define FIRTH_ISA plain
#define FIRTH_BYTES 16
#include "../copies.hpp"

using namespace firth;

namespace {

constexpr uint32_t stride = 16, rows = 300;

struct Home {
    Guarded<float> numbers{rows * stride};
    float* begin = numbers.data();

    bool all(float expected) const {
        bool same = numbers.intact();
        for (uint32_t i = 0; i < rows * stride; ++i) same &= begin[i] == expected;
        return same;
    }
};

// Keeps copies of all rows but the last.
struct Holder : plain::Copies<float> {
    Holder(const Home& home, double how_far) : Copies(home.begin, stride, rows - 1) {
        pull = how_far;
        exchange_all(1);
    }
    void move(uint32_t id, float by) {
        float* const numbers = row(id, 1);
        for (uint32_t j = 0; j < stride; ++j) numbers[j] += by;
    }
};

// Whoever moves whichever rows, and exchanges them when: whole numbers, so that no order of sums is another's.
void test_no_move_is_lost() {
    std::mt19937 random(1);
    Home home;
    Holder holders[] = {{home, 0}, {home, 0}, {home, 0}};
    std::vector<float> moved(rows);
    for (uint32_t turn = 0; turn < 100; ++turn) {
        Holder& holder = holders[random() % 3];
        for (uint32_t i = 0; i < 50; ++i) {
            const uint32_t id = random() % rows, by = random() % 8;
            holder.move(id, float(by)), moved[id] += float(by);
        }
        holder.exchange(turn, 3);
    }
    for (Holder& each : holders) each.exchange_all(3);
    for (uint32_t id = 0; id < rows; ++id) CHECK(home.begin[id * stride] == moved[id]);
    CHECK(home.numbers.intact());
}

// Rows below 64 at each turn, those below 256 every fourth time, then every sixteenth.
void test_each_row_has_its_turn() {
    Home home;
    Holder one(home, 0), other(home, 0);
    for (uint32_t id = 0; id < rows; ++id) one.move(id, 1);
    const auto arrived = [&] {
        uint32_t count = 0;
        for (uint32_t id = 0; id < rows - 1; ++id) count += home.begin[id * stride] == 1;
        return count;
    };
    one.exchange(0, 2);
    CHECK(arrived() == 64 + 192 / 4 + 3);  // of the last 43 one in sixteen
    for (uint32_t turn = 1; turn < 4; ++turn) one.exchange(turn, 2);
    CHECK(arrived() == 256 + 12);
    for (uint32_t turn = 4; turn < 16; ++turn) one.exchange(turn, 2);
    CHECK(home.all(1));
    for (uint32_t turn = 0; turn < 16; ++turn) other.exchange(turn, 2);
    for (uint32_t id = 0; id < rows; ++id) CHECK(other.row(id, 0)[0] == 1);
}

// Two that have both gone all the way to where a row belongs take it there, and not twice as far.
void test_moves_that_arrive_are_a_mean() {
    Home home;
    Holder holders[] = {{home, 1e3}, {home, 1e3}};
    for (Holder& each : holders)
        for (uint32_t id = 0; id < rows - 1; ++id) each.move(id, 8);
    for (Holder& each : holders) each.exchange_all(2);
    for (uint32_t id = 0; id < rows - 1; ++id) CHECK(home.begin[id * stride] == 8);
}

void test_how_many_are_worth_it() {
    CHECK(plain::worth_keeping(4096, 63) == 0);
    CHECK(plain::worth_keeping(4096, 64) == 64);
    CHECK(plain::worth_keeping(4096, 255) == 64);
    CHECK(plain::worth_keeping(4096, 256) == 256);
    CHECK(plain::worth_keeping(4096, 64 * 64) == 4096);
    CHECK(plain::worth_keeping(4096, ~uint64_t(0)) == 4096);
    CHECK(plain::worth_keeping(100, 1'000) == 100);
    CHECK(plain::worth_keeping(0, 1'000) == 0);
}

}  // namespace

void test_copies() {
    test("copies: no move is lost, and none made twice", test_no_move_is_lost);
    test("copies: each row has its turn", test_each_row_has_its_turn);
    test("copies: moves that arrive are a mean", test_moves_that_arrive_are_a_mean);
    test("copies: as many are kept as are worth it", test_how_many_are_worth_it);
}
