// Logistic, exponential and logarithm on whole vectors, and sums of logarithms that cost next to nothing.
#pragma once
#include <cmath>

#include "rows.hpp"

namespace firth {
namespace FIRTH_ISA {

typedef int32_t Integers __attribute__((vector_size(vector_bytes)));

inline Vector<float> clamp(Vector<float> x, float low, float high) {
    const Vector<float> l = splat(low), h = splat(high);
    x = x < l ? l : x;
    return x > h ? h : x;
}

// e^x, relative error below 3e-7. x = n ln 2 + f with |f| <= ln 2 / 2; e^f by its Taylor polynomial, and n
// goes straight into the exponent's bits.
inline Vector<float> exponential(Vector<float> x) {
    x = clamp(x, -87, 87);
    const float shifter = 12582912;  // 1.5 * 2^23: adding it rounds to an integer, which its low bits then hold
    const Vector<float> shifted = x * 1.44269504f + shifter;
    const Vector<float> n = shifted - shifter;
    const Vector<float> f = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const Vector<float> f2 = f * f;
    const Vector<float> high = (1 / 24.f + f * (1 / 120.f)) + f2 * (1 / 720.f);  // Estrin: short chains
    const Vector<float> p = (1 + f) + f2 * ((0.5f + f * (1 / 6.f)) + f2 * high);
    return (Vector<float>)((Integers)p + ((Integers)shifted << 23));
}

inline Vector<double> exponential(Vector<double> x) {
    for (int i = 0; i < lanes<double>; ++i) x[i] = ::exp(x[i]);
    return x;
}

template <class Real>
inline Vector<Real> logistic(Vector<Real> x) {
    return 1 / (1 + exponential(-x));
}

// The logarithm of a product of many probabilities: mantissas are multiplied, exponents added, and the one
// logarithm a lane is taken when the value is asked for. A factor that is no number makes it none.
template <class Real>
class LogProduct;

template <>
class LogProduct<float> {
  public:
    void multiply(Vector<float> p) {
        const Integers bits = (Integers)(mantissa_ * p);
        lost_ |= p != p;  // or its bits would be taken for a number's
        exponent_ += (bits >> 23) - 127;
        mantissa_ = (Vector<float>)((bits & 0x007fffff) | 0x3f800000);
    }
    double logarithm() const {
        double sum = 0;
        for (int i = 0; i < lanes<float>; ++i)
            sum += lost_[i] ? NAN : ::log(double(mantissa_[i])) + double(exponent_[i]) * 0.6931471805599453;
        return sum;
    }

  private:
    Vector<float> mantissa_ = Vector<float>{} + 1;
    Integers exponent_ = {}, lost_ = {};
};

template <>
class LogProduct<double> {
  public:
    void multiply(Vector<double> p) {
        for (int i = 0; i < lanes<double>; ++i) sum_ += ::log(p[i]);
    }
    double logarithm() const { return sum_; }

  private:
    double sum_ = 0;
};

}  // namespace FIRTH_ISA
}  // namespace firth
