"""What promotions give beside points: vouchers and tickets, sweepstakes and their draws."""
