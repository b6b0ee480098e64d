/* What the calls of plugins and of the packet IO library return. */
#ifndef BRICKS_ERROR_H
#define BRICKS_ERROR_H

/* What calls return: 0, or one of these. The numbers are those of Linux where it has the name. */
typedef enum {
  BRICKS_DONE = 0,
  BRICKS_EPERM = -1,      /* not yours: another plugin's lock, an object of another's */
  BRICKS_ENOENT = -2,     /* there is none of that name or number */
  BRICKS_EIO = -5,        /* the system said no */
  BRICKS_ENOMEM = -12,    /* a bound is reached */
  BRICKS_EBUSY = -16,     /* another plugin holds the session's lock */
  BRICKS_EEXIST = -17,    /* it is there already */
  BRICKS_EINVAL = -22,    /* an argument makes no sense */
  BRICKS_ENOTSUP = -95,   /* not here */
  BRICKS_EALREADY = -114, /* you hold it already */
  BRICKS_ESTATE = -200,   /* not in this state of the session, or there is no packet */
  BRICKS_EEOF = -202,     /* the input has ended: nothing will come any more */
  BRICKS_ENOCTX = -201    /* not from here: outside of a callback, or of another worker's session */
} bricks_error;

#endif
